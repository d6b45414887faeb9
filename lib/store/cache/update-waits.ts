import { onAbort } from '../../timing/on-abort.js';

/** Lets others wait for the updates of a feed. */
export class UpdateWaits {
  readonly #closing: AbortSignal;
  readonly #waiters = new Set<() => void>();

  /** @param closing ends the waits of `until` */
  constructor(closing: AbortSignal) {
    this.#closing = closing;
  }

  /** Resolves at the next update, after the limit, or when the signal aborts. */
  next(withinMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        stopListening();
        this.#waiters.delete(done);
        resolve();
      };
      const timer = setTimeout(done, withinMs);
      const stopListening = onAbort(signal, done);
      this.#waiters.add(done);
    });
  }

  /** Resolves with true when the condition holds, and with false after the limit or on close. */
  async until(isMet: () => boolean, withinMs: number): Promise<boolean> {
    const until = performance.now() + withinMs;
    while (!isMet()) {
      const left = until - performance.now();
      if (left <= 0 || this.#closing.aborted) return false;
      await this.next(left);
    }
    return true;
  }

  /** Ends the present waits for the next update. */
  wake(): void {
    for (const done of [...this.#waiters]) done();
  }
}
