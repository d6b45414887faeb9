import type { DeliveryContext } from './delivery-context.js';
import type { Verdict } from './delivery-queue.js';

/** One call of a handler, and its context. The signal is made when it is read: most handlers never do. */
export class HandlerCall implements DeliveryContext {
  attempt = 1;
  /** Where its caller finds it. */
  place = 0;
  /** Stops what watches over its time. */
  cancelTimeout: (() => void) | undefined;
  /** What its time decided, before it ended. */
  late: Verdict | undefined;
  #abort: AbortController | undefined;
  #verdict: Verdict | undefined;
  #ended: ((verdict: Verdict) => void) | undefined;

  get signal(): AbortSignal {
    return (this.#abort ??= new AbortController()).signal;
  }

  /** Whether somebody may still look at its signal, so that it cannot stand for another call. */
  get isTaken(): boolean {
    return this.#abort !== undefined;
  }

  abort(reason: unknown): void {
    (this.#abort ??= new AbortController()).abort(reason);
  }

  /** It has ended, and this comes of it. */
  end(verdict: Verdict): void {
    this.cancelTimeout?.();
    this.#verdict = this.late ?? verdict;
    this.#ended?.(this.#verdict);
  }

  /** Calls once it has ended: a promise would cost another turn. */
  whenEnded(ended: (verdict: Verdict) => void): void {
    if (this.#verdict === undefined) this.#ended = ended;
    else ended(this.#verdict);
  }
}
