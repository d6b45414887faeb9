import type { LoggerService } from '@nestjs/common';
import { describeThrown } from './foreign/foreign-error.js';
import { escaped, printable } from './foreign/foreign-text.js';
import { ignoreRejection } from './foreign/thenable.js';

/** Writes each message as one line, with the service and pod name. */
export class InstanceLog {
  readonly #logger: LoggerService;
  readonly #instance: string;
  #hasWarned = false;

  constructor(
    logger: LoggerService,
    { serviceName, podName }: { readonly serviceName: string; readonly podName: string },
  ) {
    this.#logger = logger;
    this.#instance = ` [service=${printable(serviceName)} pod=${printable(podName)}]`;
  }

  info(message: string): void {
    this.#write((logger, line) => logger.log(line, CONTEXT), message);
  }

  warn(message: string): void {
    this.#write((logger, line) => logger.warn(line, CONTEXT), message);
  }

  error(message: string): void {
    this.#write((logger, line) => logger.error(line, undefined, CONTEXT), message);
  }

  /** A logger that fails must not end what the line is about. Its first failure is a warning of the process. */
  #write(write: (logger: LoggerService, line: string) => unknown, message: string): void {
    try {
      ignoreRejection(write(this.#logger, escaped(message) + this.#instance));
    } catch (error) {
      if (this.#hasWarned) return;
      this.#hasWarned = true;
      process.emitWarning(`the logger of nestjs-etcd-trigger failed: ${describeThrown(error)}`);
    }
  }
}

const CONTEXT = 'EtcdTrigger';
