/** What a handler is told of the call it is in. */
export interface DeliveryContext {
  /** Aborts when the call shall end: its `timeoutMs` is over, or shutdown has waited for `drainTimeoutMs`. */
  readonly signal: AbortSignal;
  /** 1 for the first call with an event, one more for each retry. */
  readonly attempt: number;
}
