import { BACKOFF, quietPause } from '../timing/backoff.js';

export interface SuspensionMonitorOptions {
  /** Returns true if readers see all that etcd has; false if that cannot be determined now. */
  readonly isCurrent: () => Promise<boolean>;
  readonly suspended: (seconds: number) => void;
  readonly confirmed: () => void;
}

/**
 * Notices that the process has not run for a while, because it was stopped, its machine slept, or its event loop was
 * blocked. Then the values may be old although no connection has failed yet, until they are compared with etcd. Both
 * clocks count, because the monotonic one stops while a machine sleeps.
 */
export class SuspensionMonitor {
  readonly #options: SuspensionMonitorOptions;
  readonly #closing = new AbortController();
  #seen = clocks();
  #timer: NodeJS.Timeout | undefined;
  #isSuspected = false;

  constructor(options: SuspensionMonitorOptions) {
    this.#options = options;
  }

  /** True from the end of a suspension until the values are compared with etcd. */
  get isSuspected(): boolean {
    if (this.#timer) this.#check();
    return this.#isSuspected;
  }

  start(): void {
    if (this.#timer) return;
    this.#seen = clocks();
    this.#timer = setInterval(this.#check.bind(this), TICK_MS);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#closing.abort();
  }

  #check(): void {
    const before = this.#seen;
    this.#seen = clocks();
    const elapsedMs = Math.max(this.#seen.wall - before.wall, this.#seen.monotonic - before.monotonic);
    if (elapsedMs < LIMIT_MS || this.#isSuspected) return;
    this.#isSuspected = true;
    this.#options.suspended(Math.round(elapsedMs / 1_000));
    void this.#confirm();
  }

  async #confirm(): Promise<void> {
    const { signal } = this.#closing;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      if (await this.#options.isCurrent()) {
        this.#isSuspected = false;
        this.#options.confirmed();
        return;
      }
      await quietPause(BACKOFF.soon(attempt), signal);
    }
  }
}

const clocks = (): { readonly wall: number; readonly monotonic: number } => ({
  wall: Date.now(),
  monotonic: performance.now(),
});

const TICK_MS = 1_000;

/** A shorter pause is a busy event loop. */
const LIMIT_MS = 5_000;
