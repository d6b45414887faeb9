/** What a handler is told of the call it is in. */
export interface DeliveryContext {
  /** Aborts when the call shall end now: shutdown has waited long enough. */
  readonly signal: AbortSignal;
  /** 1 for the first call with an event. */
  readonly attempt: number;
}

/** The context of one call. The signal is made when it is read: most handlers never do. */
export class CallContext implements DeliveryContext {
  attempt = 1;
  #abort: AbortController | undefined;

  get signal(): AbortSignal {
    return (this.#abort ??= new AbortController()).signal;
  }

  /** Whether it is known to a call that ended, and so cannot serve another. */
  get isTaken(): boolean {
    return this.#abort !== undefined;
  }

  abort(reason: unknown): void {
    (this.#abort ??= new AbortController()).abort(reason);
  }
}
