import { HandlerTimeoutError, InvalidOptionsError } from '../../etcd-trigger.errors.js';
import type { Clock } from '../../timing/clock.js';
import { adopted, isThenable } from '../../foreign/thenable.js';
import type { DeliveryContext } from '../watch-event.js';
import type { ResolvedDelivery } from './delivery-options.js';
import type { CallOutcome } from './delivery-queue.js';
import { isA } from '../../foreign/foreign-error.js';
import { FinalFailure } from './listener-failure.js';

export interface HandlerRunnerOptions<Item> {
  readonly handler: (item: Item, context: DeliveryContext) => unknown;
  readonly delivery: Pick<ResolvedDelivery, 'attempts' | 'timeoutMs' | 'onExhausted'>;
  readonly clock: Clock;
  /** Begins the message of a timeout: `Class.method did not finish with key "/a"`. */
  readonly describe: (item: Item) => string;
  /** Invoked with the error of the last attempt, after all attempts have failed. */
  readonly onFailure: (item: Item, attempts: number, error: unknown) => void;
}

/**
 * Runs single handler calls within `timeoutMs`. Calls that end synchronously share one context and allocate nothing.
 */
export class HandlerRunner<Item> {
  readonly #options: HandlerRunnerOptions<Item>;
  /** The calls that have not ended, in any order. */
  readonly #running: RunningCall[] = [];
  #next = new RunningCall();
  #calls = 0;
  #failures = 0;
  #isAborted = false;

  constructor(options: HandlerRunnerOptions<Item>) {
    this.#options = options;
  }

  /** Number of calls started so far. */
  get calls(): number {
    return this.#calls;
  }

  /** Number of calls that have failed so far. */
  get failures(): number {
    return this.#failures;
  }

  /** Returns the outcome, or the pending call if the handler is asynchronous. */
  call(item: Item, attempt: number): CallOutcome | RunningCall {
    this.#calls += 1;
    const call = this.#next;
    call.attempt = attempt;
    try {
      const result = this.#options.handler(item, call);
      if (isThenable(result)) {
        this.#next = new RunningCall();
        this.#follow(adopted(result), item, call);
        return call;
      }
      if (call.hasSignal) this.#next = new RunningCall();
      return 'done';
    } catch (error) {
      this.#next = new RunningCall();
      return this.#failed(item, attempt, error);
    }
  }

  /** Aborts the signals of all running calls. From then on a call that fails is not counted and not retried. */
  abort(reason: unknown): void {
    this.#isAborted = true;
    for (const call of [...this.#running]) call.abort(reason);
  }

  #follow(result: Promise<unknown>, item: Item, call: RunningCall): void {
    call.index = this.#running.push(call) - 1;
    const { timeoutMs } = this.#options.delivery;
    if (timeoutMs !== undefined) this.#limit(timeoutMs, item, call);
    result.then(
      () => {
        this.#ended(call);
        call.end('done');
      },
      (error: unknown) => {
        this.#ended(call);
        const isDecided = this.#isAborted || call.timeoutOutcome !== undefined;
        call.end(isDecided ? 'done' : this.#failed(item, call.attempt, error));
      },
    );
  }

  #ended({ index }: RunningCall): void {
    const last = this.#running.pop();
    if (!last || last.index === index) return;
    this.#running[index] = last;
    last.index = index;
  }

  /** A call that exceeds its time counts as failed, however it ends. Its lane stays busy until it ends. */
  #limit(timeoutMs: number, item: Item, call: RunningCall): void {
    const { clock, describe } = this.#options;
    call.cancelTimeout = clock.after(timeoutMs, () => {
      if (this.#isAborted) return;
      const error = new HandlerTimeoutError(`${describe(item)} within ${timeoutMs} ms`);
      call.timeoutOutcome = this.#failed(item, call.attempt, error);
      call.abort(error);
    });
  }

  #failed(item: Item, attempt: number, error: unknown): CallOutcome {
    this.#failures += 1;
    const { attempts, onExhausted } = this.#options.delivery;
    if (attempt < attempts && !isA(error, FinalFailure)) return 'retry';
    this.#options.onFailure(item, attempt, error);
    return onExhausted === 'halt' ? 'hold' : 'done';
  }
}

/** The error of `commit()` in a call that has no cursor. */
export const commitRefused = (): InvalidOptionsError =>
  new InvalidOptionsError(
    `commit() stores the progress of a handler group: add { group: 'name' } to the options of @WatchKey`,
  );

/** One handler call, and the context that the handler receives. The signal is created when it is first read. */
export class RunningCall implements DeliveryContext {
  attempt = 1;
  /** Position in the runner's list of running calls. */
  index = 0;
  cancelTimeout: (() => void) | undefined;
  /** Set when the call has exceeded its time. */
  timeoutOutcome: CallOutcome | undefined;
  #abort: AbortController | undefined;
  #outcome: CallOutcome | undefined;
  #onEnd: ((outcome: CallOutcome) => void) | undefined;

  readonly fence = undefined;
  readonly redelivered = false;

  commit(): Promise<void> {
    return Promise.reject(commitRefused());
  }

  get signal(): AbortSignal {
    return (this.#abort ??= new AbortController()).signal;
  }

  /** True if the handler has read the signal. Such a context must not be reused for another call. */
  get hasSignal(): boolean {
    return this.#abort !== undefined;
  }

  abort(reason: unknown): void {
    (this.#abort ??= new AbortController()).abort(reason);
  }

  end(outcome: CallOutcome): void {
    this.cancelTimeout?.();
    this.#outcome = this.timeoutOutcome ?? outcome;
    this.#onEnd?.(this.#outcome);
  }

  /** A callback rather than a promise, which would take another turn of the event loop. */
  whenEnded(callback: (outcome: CallOutcome) => void): void {
    if (this.#outcome === undefined) this.#onEnd = callback;
    else callback(this.#outcome);
  }
}
