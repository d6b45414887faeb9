import { HandlerTimeoutError } from '../etcd-trigger.errors.js';
import type { DeliveryClock } from './delivery-clock.js';
import type { ResolvedDelivery } from './delivery-options.js';
import type { Verdict } from './delivery-queue.js';
import type { DeliveryContext } from './delivery-context.js';
import { HandlerCall } from './handler-call.js';
import { FinalFailure } from './listener-failure.js';
import { isThenable } from './thenable.js';

export interface HandlerCallerOptions<Item> {
  readonly handler: (item: Item, context: DeliveryContext) => unknown;
  readonly terms: Pick<ResolvedDelivery, 'attempts' | 'timeoutMs' | 'onExhausted'>;
  readonly clock: DeliveryClock;
  /** Begins the message of a timeout: `Class.method did not finish with key "/a"`. */
  readonly describe: (item: Item) => string;
  /** All attempts have failed, the last with this error. */
  readonly gaveUp: (item: Item, attempts: number, error: unknown) => void;
}

/** Calls a handler once, within its time, and says what comes of it. Calls that end synchronously share one context and allocate nothing. */
export class HandlerCaller<Item> {
  readonly #options: HandlerCallerOptions<Item>;
  /** In any order. */
  readonly #running: HandlerCall[] = [];
  #next = new HandlerCall();
  #calls = 0;
  #failures = 0;
  #isAborted = false;

  constructor(options: HandlerCallerOptions<Item>) {
    this.#options = options;
  }

  /** Calls that began so far. */
  get calls(): number {
    return this.#calls;
  }

  /** Calls that failed so far. */
  get failures(): number {
    return this.#failures;
  }

  /** What comes of it, or the call when it goes on. */
  call(item: Item, attempt: number): Verdict | HandlerCall {
    this.#calls += 1;
    const call = this.#next;
    call.attempt = attempt;
    try {
      const result = this.#options.handler(item, call);
      if (isThenable(result)) {
        this.#next = new HandlerCall();
        this.#follow(result, item, call);
        return call;
      }
      if (call.isTaken) this.#next = new HandlerCall();
      return 'done';
    } catch (error) {
      this.#next = new HandlerCall();
      return this.#failed(item, attempt, error);
    }
  }

  /** Tells the calls that run to end; how they end does not matter any more. */
  abort(reason: unknown): void {
    this.#isAborted = true;
    for (const call of [...this.#running]) call.abort(reason);
  }

  #follow(result: PromiseLike<unknown>, item: Item, call: HandlerCall): void {
    call.place = this.#running.push(call) - 1;
    if (this.#options.terms.timeoutMs !== undefined) this.#limit(this.#options.terms.timeoutMs, item, call);
    result.then(
      () => {
        this.#ended(call);
        call.end('done');
      },
      (error: unknown) => {
        this.#ended(call);
        const isOver = this.#isAborted || call.late !== undefined;
        call.end(isOver ? 'done' : this.#failed(item, call.attempt, error));
      },
    );
  }

  #ended({ place }: HandlerCall): void {
    const last = this.#running.pop();
    if (!last || last.place === place) return;
    this.#running[place] = last;
    last.place = place;
  }

  /** A call that ran out of time has failed, however it ends; until it does, it keeps its lane. */
  #limit(timeoutMs: number, item: Item, call: HandlerCall): void {
    const { clock, describe } = this.#options;
    call.cancelTimeout = clock.after(timeoutMs, () => {
      if (this.#isAborted) return;
      const error = new HandlerTimeoutError(`${describe(item)} within ${timeoutMs} ms`);
      call.late = this.#failed(item, call.attempt, error);
      call.abort(error);
    });
  }

  #failed(item: Item, attempt: number, error: unknown): Verdict {
    this.#failures += 1;
    const { attempts, onExhausted } = this.#options.terms;
    if (attempt < attempts && !(error instanceof FinalFailure)) return 'again';
    this.#options.gaveUp(item, attempt, error);
    return onExhausted === 'halt' ? 'keep' : 'done';
  }
}
