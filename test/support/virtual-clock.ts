import type { Clock } from '../../lib/timing/clock.js';

interface Task {
  readonly at: number;
  readonly call: () => void;
}

/** Clock that advances only on request of a test. */
export class VirtualClock implements Clock {
  #now = 0;
  readonly #tasks = new Set<Task>();

  /** Number of pending calls. */
  get size(): number {
    return this.#tasks.size;
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, call: () => void): () => void {
    const task = { at: this.#now + ms, call };
    this.#tasks.add(task);
    return () => {
      this.#tasks.delete(task);
    };
  }

  soon(call: () => void): () => void {
    return this.after(0, call);
  }

  /** Runs the due calls one by one, with promises settled in between, until the given time or until none is left. */
  async runUntil(at = Infinity): Promise<void> {
    await settled();
    for (let task = this.#first(at); task; task = this.#first(at)) {
      this.#tasks.delete(task);
      this.#now = Math.max(this.#now, task.at);
      task.call();
      await settled();
    }
    if (at !== Infinity) this.#now = Math.max(this.#now, at);
  }

  #first(until: number): Task | undefined {
    let first: Task | undefined;
    for (const task of this.#tasks) if (task.at <= until && (!first || task.at < first.at)) first = task;
    return first;
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
