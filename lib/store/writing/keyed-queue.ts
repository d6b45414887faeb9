/** Runs tasks one after the other for each key. */
export class KeyedQueue {
  /** The last pending task of each key. */
  readonly #last = new Map<string, Promise<unknown>>();

  /** Settles as the task does, which starts when the tasks before it have ended. */
  async run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const running = before.then(task);
    const ended = running.catch(() => undefined);
    this.#last.set(key, ended);
    try {
      return await running;
    } finally {
      if (this.#last.get(key) === ended) this.#last.delete(key);
    }
  }
}
