import { Fifo } from '../collections/fifo.js';

/** Admits a limited number of holders at a time, in order. */
export class Semaphore {
  readonly #limit: () => number;
  readonly #waiting = new Fifo<() => void>();
  #holders = 0;

  /** The limit is read each time; when it grows, `admit` must be called. */
  constructor(limit: () => number) {
    this.#limit = limit;
  }

  /**
   * Resolves to a function that gives the place back; it may be called more than once.
   * @throws the reason of an abort
   */
  async acquire(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#holders < this.#limit() && this.#waiting.size === 0) this.#holders += 1;
    else await this.#turn();
    let isHeld = true;
    const release = (): void => {
      if (!isHeld) return;
      isHeld = false;
      this.#holders -= 1;
      this.admit();
    };
    if (signal.aborted) {
      release();
      throw signal.reason;
    }
    return release;
  }

  /** Runs a function while holding a place. */
  async run<T>(signal: AbortSignal, run: () => Promise<T>): Promise<T> {
    const release = await this.acquire(signal);
    try {
      return await run();
    } finally {
      release();
    }
  }

  admit(): void {
    while (this.#holders < this.#limit() && this.#waiting.size > 0) {
      this.#holders += 1;
      this.#waiting.shift()?.();
    }
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }
}
