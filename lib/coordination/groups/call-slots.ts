import { Fifo } from '../../collections/fifo.js';

/** The calls of all partitions of a group on this instance, which share one limit. */
export class CallSlots {
  readonly #waiting = new Fifo<() => void>();
  #free: number;

  constructor(limit: number) {
    this.#free = limit;
  }

  /** Takes a slot if one is free. */
  tryTake(): boolean {
    if (this.#free === 0) return false;
    this.#free -= 1;
    return true;
  }

  /** Calls back once, with a slot taken. */
  whenFree(start: () => void): void {
    if (this.tryTake()) start();
    else this.#waiting.push(start);
  }

  /** Gives a slot back. */
  release(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free += 1;
  }
}
