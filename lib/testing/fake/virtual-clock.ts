interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** The time of day at 0 ms: the same in each test. */
const START = Date.UTC(2000, 0, 1);

/** A clock that starts at 0 ms and advances only by `advance()`. */
export class VirtualClock {
  #now = 0;
  readonly #timers = new Set<Timer>();

  get now(): number {
    return this.#now;
  }

  /** The time of day, in milliseconds since 1970. */
  get wall(): number {
    return START + this.#now;
  }

  /** Calls `callback` once after `ms` virtual milliseconds. Returns a function that cancels the call. */
  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#now + ms, callback };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  /** Advances the clock and runs the due timers in order. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (let next = this.#nextBefore(until); next; next = this.#nextBefore(until)) {
      this.#timers.delete(next);
      this.#now = next.at;
      next.callback();
    }
    this.#now = until;
  }

  #nextBefore(until: number): Timer | undefined {
    const due = [...this.#timers].filter(({ at }) => at <= until);
    return due.reduce<Timer | undefined>((first, timer) => (first && first.at <= timer.at ? first : timer), undefined);
  }
}
