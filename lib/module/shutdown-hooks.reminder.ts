import type { InstanceLog } from '../etcd-trigger.log.js';

/** `main.ts` may call `enableShutdownHooks()` after the application is initialised. */
const PATIENCE_MS = 10_000;

/**
 * Warns once when nothing in the process listens to SIGTERM a while after the start: then Node ends the process in the middle of whatever handlers do. That is
 * what can be seen; who listens (Nest, or code of the application's own) is not looked at.
 */
export class ShutdownHooksReminder {
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly log: InstanceLog,
    private readonly listenerCount: (signal: string) => number = (signal) => process.listenerCount(signal),
  ) {}

  started(): void {
    this.#timer = setTimeout(() => {
      if (this.listenerCount('SIGTERM') > 0) return;
      this.log.warn(
        'nothing listens to SIGTERM, so handlers are cut off in the middle when the process is stopped: call app.enableShutdownHooks()',
      );
    }, PATIENCE_MS).unref();
  }

  stopped(): void {
    clearTimeout(this.#timer);
  }
}
