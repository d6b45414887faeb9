import { HandlerTimeoutError } from '../../etcd-trigger.errors.js';
import type { Clock } from '../../timing/clock.js';
import { isThenable } from '../../timing/time-limit.js';
import type { DeliveryContext } from '../watch-event.js';
import type { ResolvedDelivery } from './delivery-options.js';
import type { CallOutcome } from './delivery-queue.js';
import { FinalFailure } from './listener-failure.js';

export interface HandlerRunnerOptions<Item> {
  readonly handler: (item: Item, context: DeliveryContext) => unknown;
  readonly terms: Pick<ResolvedDelivery, 'attempts' | 'timeoutMs' | 'onExhausted'>;
  readonly clock: Clock;
  /** Begins the message of a timeout: `Class.method did not finish with key "/a"`. */
  readonly describe: (item: Item) => string;
  /** All attempts have failed, the last with this error. */
  readonly gaveUp: (item: Item, attempts: number, error: unknown) => void;
}

/** Calls a handler once, within its time, and says what comes of it. Calls that end synchronously share one context and allocate nothing. */
export class HandlerRunner<Item> {
  readonly #options: HandlerRunnerOptions<Item>;
  /** In any order. */
  readonly #running: RunningCall[] = [];
  #next = new RunningCall();
  #calls = 0;
  #failures = 0;
  #isAborted = false;

  constructor(options: HandlerRunnerOptions<Item>) {
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
  call(item: Item, attempt: number): CallOutcome | RunningCall {
    this.#calls += 1;
    const call = this.#next;
    call.attempt = attempt;
    try {
      const result = this.#options.handler(item, call);
      if (isThenable(result)) {
        this.#next = new RunningCall();
        this.#follow(result, item, call);
        return call;
      }
      if (call.isTaken) this.#next = new RunningCall();
      return 'done';
    } catch (error) {
      this.#next = new RunningCall();
      return this.#failed(item, attempt, error);
    }
  }

  /** Tells the calls that run to end; how they end does not matter any more. */
  abort(reason: unknown): void {
    this.#isAborted = true;
    for (const call of [...this.#running]) call.abort(reason);
  }

  #follow(result: PromiseLike<unknown>, item: Item, call: RunningCall): void {
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

  #ended({ place }: RunningCall): void {
    const last = this.#running.pop();
    if (!last || last.place === place) return;
    this.#running[place] = last;
    last.place = place;
  }

  /** A call that ran out of time has failed, however it ends; until it does, it keeps its lane. */
  #limit(timeoutMs: number, item: Item, call: RunningCall): void {
    const { clock, describe } = this.#options;
    call.cancelTimeout = clock.after(timeoutMs, () => {
      if (this.#isAborted) return;
      const error = new HandlerTimeoutError(`${describe(item)} within ${timeoutMs} ms`);
      call.late = this.#failed(item, call.attempt, error);
      call.abort(error);
    });
  }

  #failed(item: Item, attempt: number, error: unknown): CallOutcome {
    this.#failures += 1;
    const { attempts, onExhausted } = this.#options.terms;
    if (attempt < attempts && !(error instanceof FinalFailure)) return 'retry';
    this.#options.gaveUp(item, attempt, error);
    return onExhausted === 'halt' ? 'hold' : 'done';
  }
}

/** One call of a handler, and its context. The signal is made when it is read: most handlers never do. */
export class RunningCall implements DeliveryContext {
  attempt = 1;
  /** Where its caller finds it. */
  place = 0;
  /** Stops what watches over its time. */
  cancelTimeout: (() => void) | undefined;
  /** What its time decided, before it ended. */
  late: CallOutcome | undefined;
  #abort: AbortController | undefined;
  #outcome: CallOutcome | undefined;
  #ended: ((outcome: CallOutcome) => void) | undefined;

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
  end(outcome: CallOutcome): void {
    this.cancelTimeout?.();
    this.#outcome = this.late ?? outcome;
    this.#ended?.(this.#outcome);
  }

  /** Calls once it has ended: a promise would cost another turn. */
  whenEnded(ended: (outcome: CallOutcome) => void): void {
    if (this.#outcome === undefined) this.#ended = ended;
    else ended(this.#outcome);
  }
}
