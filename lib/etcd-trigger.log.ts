import type { LoggerService } from '@nestjs/common';

/** Appends the service and pod name to every log line. */
export class InstanceLog {
  readonly #logger: LoggerService;
  readonly #instance: string;

  constructor(
    logger: LoggerService,
    { serviceName, podName }: { readonly serviceName: string; readonly podName: string },
  ) {
    this.#logger = logger;
    this.#instance = ` [service=${serviceName} pod=${podName}]`;
  }

  info(message: string): void {
    this.#logger.log(message + this.#instance, CONTEXT);
  }

  warn(message: string): void {
    this.#logger.warn(message + this.#instance, CONTEXT);
  }

  error(message: string): void {
    this.#logger.error(message + this.#instance, undefined, CONTEXT);
  }
}

const CONTEXT = 'EtcdTrigger';
