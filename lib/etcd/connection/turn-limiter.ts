import { Fifo } from '../../collections/fifo.js';

/** Lets so many pass in one turn of the event loop, and the others, in order, in the turns after it. */
export class TurnLimiter {
  readonly #limit: number;
  readonly #waiting = new Fifo<() => void>();
  /** In this turn. */
  #passed = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  async pass(): Promise<void> {
    if (this.#passed === this.#limit) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    } else {
      this.#count();
    }
  }

  #count(): void {
    this.#passed += 1;
    if (this.#passed > 1) return;
    setImmediate(() => {
      this.#passed = 0;
      while (this.#passed < this.#limit && this.#waiting.size > 0) {
        this.#count();
        this.#waiting.shift()?.();
      }
    });
  }
}
