import type { InstanceLog } from '../etcd-trigger.log.js';

/** `main.ts` may call `enableShutdownHooks()` some time after the application is initialised. */
const DELAY_MS = 10_000;

/** The work of an application that the end of its process would interrupt. */
export interface InterruptedWork {
  readonly handlers: boolean;
  /** Elections, locks, cron jobs or services. */
  readonly coordination: boolean;
}

/**
 * Warns once if the process has no SIGTERM listener some time after startup: Node then ends the process while handlers
 * are running, and what it owns is free only when its lease has expired. Any listener suffices, be it Nest's or the
 * application's.
 */
export class ShutdownHooksReminder {
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly log: InstanceLog,
    private readonly work: () => InterruptedWork,
    private readonly listenerCount: (signal: string) => number = (signal) => process.listenerCount(signal),
  ) {}

  start(): void {
    this.#timer = setTimeout(() => {
      if (this.listenerCount('SIGTERM') > 0) return;
      const consequence = consequenceFor(this.work());
      if (consequence === undefined) return;
      this.log.warn(
        `the process has no SIGTERM listener, so stopping it ${consequence}: call app.enableShutdownHooks()`,
      );
    }, DELAY_MS).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

function consequenceFor({ handlers, coordination }: InterruptedWork): string | undefined {
  const wait = 'lets other instances wait until the lease of this one has expired';
  if (!coordination) return handlers ? 'interrupts running handlers' : undefined;
  return handlers ? `interrupts running handlers and ${wait}` : wait;
}
