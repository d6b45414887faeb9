/** Node fires timers above it at once. */
const MAX_TIMER_MS = 0x7fffffff;

/**
 * A time limit on the peer. When the event loop of this process stalls, the timer fires before the sockets are read; so
 * the limit lets one turn pass, in which answers that have arrived already are read, before it expires.
 */
export class Deadline {
  readonly #timer: NodeJS.Timeout;
  #immediate: NodeJS.Immediate | undefined;

  constructor(ms: number, onExpired: () => void) {
    this.#timer = setTimeout(
      () => {
        this.#immediate = setImmediate(onExpired);
      },
      Math.min(ms, MAX_TIMER_MS),
    );
  }

  clear(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
  }

  /** Does not keep the process alive. */
  unref(): this {
    this.#timer.unref();
    return this;
  }
}
