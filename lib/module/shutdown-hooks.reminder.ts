import type { InstanceLog } from '../etcd-trigger.log.js';

/** `main.ts` may call `enableShutdownHooks()` some time after the application is initialised. */
const DELAY_MS = 10_000;

/**
 * Warns once if the process has no SIGTERM listener some time after startup: Node then ends the process while handlers
 * are running. Any listener suffices, be it Nest's or the application's.
 */
export class ShutdownHooksReminder {
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly log: InstanceLog,
    private readonly listenerCount: (signal: string) => number = (signal) => process.listenerCount(signal),
  ) {}

  start(): void {
    this.#timer = setTimeout(() => {
      if (this.listenerCount('SIGTERM') > 0) return;
      this.log.warn(
        'the process has no SIGTERM listener, so stopping it interrupts running handlers: call app.enableShutdownHooks()',
      );
    }, DELAY_MS).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
