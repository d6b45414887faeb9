import type { WatchTarget } from '../backend/key-range.js';
import type { WatchSubscription } from '../watch/delivery/watch-options.js';
import { CallTimes } from './call-times.js';
import { HandlerCounters, type HandlerPlan } from './handler.plan.js';
import { describeHandlerTarget } from './handler-target.js';
import { className } from '../foreign/class-name.js';
import { printable } from '../foreign/foreign-text.js';

/** One `@WatchKey` of one method, while the application runs. */
export class WatchKeyHandler {
  readonly className: string;
  readonly method: string;
  /** The argument of the decorator, unchanged. */
  readonly target: WatchTarget;
  /** The target for messages: `prefix "/orders/"`. */
  readonly targetName: string;
  /** @internal */
  readonly counters = new HandlerCounters();
  /** @internal */
  readonly times = new CallTimes();
  #subscription: WatchSubscription | undefined;
  #isPaused = false;

  /** @internal */
  constructor({ method, target }: HandlerPlan) {
    this.className = className(method.type);
    this.method = printable(method.method);
    this.target = target.source;
    this.targetName = describeHandlerTarget(target);
  }

  /** `Class.method`. */
  get name(): string {
    return `${this.className}.${this.method}`;
  }

  /**
   * - `unregistered`: the handler watches nothing (`handlers: { register: false }`, or the application has not
   *   started).
   * - `starting`: etcd has not accepted the stream yet.
   * - `following`: etcd has accepted the stream.
   * - `interrupted`: the connection is lost and the watch is retried.
   * - `paused`: no call starts until `resume()`.
   * - `halted`: no call starts after an event failed its last attempt (`onExhausted: 'halt'`); `resume()` retries it.
   * - `closed`: the application has stopped.
   */
  get state(): 'unregistered' | WatchSubscription['status'] | 'paused' | 'halted' {
    if (!this.#subscription) return 'unregistered';
    const { status, paused, halted } = this.#subscription;
    if (status === 'closed') return status;
    if (halted) return 'halted';
    return paused ? 'paused' : status;
  }

  /** All events up to this revision were delivered, or are queued if the method is busy. */
  get revision(): number {
    return this.#subscription?.revision ?? 0;
  }

  /** Queued events plus running calls. */
  get pending(): number {
    return this.#subscription?.pending ?? 0;
  }

  /** Calls started, including retries and calls that ended before the method (`invalid`, `refused`). */
  get calls(): number {
    return this.#subscription?.calls ?? 0;
  }

  /** Failed calls, including those that were retried. */
  get failures(): number {
    return this.#subscription?.failures ?? 0;
  }

  /** Ended calls whose duration was measured: all asynchronous ones, and every 16th of the others. */
  get timedCalls(): number {
    return this.times.calls;
  }

  /** Milliseconds that the measured calls have taken, in total. */
  get timedMs(): number {
    return this.times.ms;
  }

  /** Values that failed validation. */
  get invalid(): number {
    return this.counters.invalid;
  }

  /** Calls that a guard denied. */
  get refused(): number {
    return this.counters.denied;
  }

  /** Starts no further call until `resume()`. No event is lost. A handler may be paused before it is registered. */
  pause(): void {
    this.#isPaused = true;
    this.#subscription?.pause();
  }

  /** Continues with the events that arrived in the meantime. */
  resume(): void {
    this.#isPaused = false;
    this.#subscription?.resume();
  }

  /** @internal */
  attached(subscription: WatchSubscription): void {
    this.#subscription = subscription;
    if (this.#isPaused) subscription.pause();
  }

  /** @internal */
  async detach(): Promise<void> {
    await this.#subscription?.close();
    this.#subscription = undefined;
  }
}
