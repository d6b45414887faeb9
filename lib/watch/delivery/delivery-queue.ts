import { Fifo } from '../../collections/fifo.js';
import type { Clock } from '../../timing/clock.js';
import { Deferred } from '../../timing/deferred.js';

/** Outcome of a call. `retry`: call again after a wait. `hold`: call again as soon as the queue is resumed. */
export type CallOutcome = 'done' | 'retry' | 'hold';

/** A call that has not ended yet. */
export interface PendingCall {
  /** Invokes the callback once the call has ended. */
  whenEnded(callback: (outcome: CallOutcome) => void): void;
}

/** Defines how a queue calls its items. */
export interface Delivery<Item> {
  /** Runs one attempt, counted from 1. The lane of the item stays busy while the call is pending. */
  readonly call: (item: Item, attempt: number) => CallOutcome | PendingCall;
  /** Invoked with what `call` has thrown unexpectedly. The item is retried. */
  readonly onFailure: (error: unknown) => void;
  /** Invoked after the first call that did not throw after one that did. */
  readonly onRecovered: () => void;
  /** Invoked after the last call for an item. */
  readonly done: (item: Item) => void;
  /** The queue never runs two calls of one lane at the same time. */
  readonly laneOf: (item: Item) => string;
  /** True if an item waits for the last attempt of its predecessor in the lane. */
  readonly keepsOrder: boolean;
  readonly weightOf: (item: Item) => number;
  /** Maximum number of calls that run at the same time. */
  readonly concurrency: number;
  /** Maximum total weight of the waiting items. */
  readonly bound: number;
  /** Milliseconds to wait before the given retry, counted from 1. */
  readonly backoff: (retry: number) => number;
  readonly clock: Clock;
  /** Invoked once half of the queue is free, after `canAccept` has returned false. */
  readonly onDrain: () => void;
}

/** Handlers that finish synchronously yield to the event loop after this time. */
const SLICE_MS = 20;
/** Number of calls between two looks at the clock. */
const SLICE_CHECK = 64;

/**
 * The bounded queue of one listener. Items of one lane start in order and never overlap; an item whose lane is busy, or
 * waits for a retry, does not delay the items of other lanes. Items of different lanes may therefore start in any
 * order. Handlers that finish synchronously cause no allocation.
 */
export class DeliveryQueue<Item> {
  readonly #delivery: Delivery<Item>;
  /** Items that have not been assigned to a lane yet. */
  readonly #ready = new Fifo<Item | Retry<Item>>();
  /** Lanes that run a call, wait for a retry or are due, each with its waiting items, if there are any. */
  readonly #lanes = new Map<string, Fifo<Item | Retry<Item>> | undefined>();
  /** Lanes whose first item may be called now. Their items are older than all ready ones. */
  readonly #due = new Fifo<string>();
  /** Each cancels the timer of a retry. */
  readonly #retryTimers = new Set<() => void>();
  #waiting = 0;
  #running = 0;
  #isStarted = false;
  #isPaused = false;
  #isPumping = false;
  #isClosed = false;
  #needsDrain = false;
  #isFailing = false;
  #cancelSlice: (() => void) | undefined;
  #idle: Deferred | undefined;

  constructor(delivery: Delivery<Item>) {
    this.#delivery = delivery;
  }

  /** Weight of the waiting items plus the number of running calls. */
  get pending(): number {
    return this.#waiting + this.#running;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** An empty queue accepts an item of any weight. */
  canAccept(weight: number): boolean {
    const isAccepted = this.#waiting === 0 || this.#waiting + weight <= this.#delivery.bound;
    if (!isAccepted) this.#needsDrain = true;
    return isAccepted;
  }

  push(item: Item): void {
    if (this.#isClosed) return;
    if (this.#lanes.size === 0 && this.#ready.size === 0 && this.#mayCall() && !this.#isPumping) {
      this.#isPumping = true;
      try {
        this.#run(item, this.#delivery.laneOf(item));
      } finally {
        this.#isPumping = false;
      }
      return;
    }
    this.#waiting += this.#delivery.weightOf(item);
    this.#ready.push(item);
    this.#pump();
  }

  /** Allows calls. Items pushed before this wait. */
  start(): void {
    this.#isStarted = true;
    this.#pump();
  }

  /** Starts no further calls until `resume`. Running calls continue. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#pump();
  }

  /** Drops the waiting items and starts no further calls. Running calls continue. */
  close(): void {
    this.#isClosed = true;
    this.#cancelSlice?.();
    for (const cancel of this.#retryTimers) cancel();
    this.#retryTimers.clear();
    this.#ready.clear();
    this.#due.clear();
    this.#lanes.clear();
    this.#waiting = 0;
    this.#settleIdle();
  }

  /** Resolves when no call is running. */
  idle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve();
    return (this.#idle ??= new Deferred()).promise;
  }

  #mayCall(): boolean {
    return this.#isStarted && !this.#isPaused && !this.#isClosed;
  }

  #pump(): void {
    if (this.#isPumping || this.#cancelSlice) return;
    this.#isPumping = true;
    try {
      const { clock, concurrency } = this.#delivery;
      let until: number | undefined;
      for (let calls = 1; this.#mayCall() && this.#running < concurrency && this.#next(); calls += 1) {
        if (calls % SLICE_CHECK === 0 && clock.now() > (until ??= clock.now() + SLICE_MS)) {
          this.#cancelSlice = clock.soon(() => {
            this.#cancelSlice = undefined;
            this.#pump();
          });
          break;
        }
      }
    } finally {
      this.#isPumping = false;
    }
    this.#drainIfHalfFree();
  }

  /** Processes one item. Returns false if there is none. */
  #next(): boolean {
    const due = this.#due.shift();
    if (due !== undefined) {
      const first = this.#lanes.get(due)?.shift();
      if (first !== undefined && this.#take(first, due)) this.#release(due);
      return true;
    }
    const ready = this.#ready.shift();
    if (ready === undefined) return false;
    const lane = this.#delivery.laneOf(ready instanceof Retry ? ready.item : ready);
    if (this.#lanes.size > 0 && this.#lanes.has(lane)) this.#waitingIn(lane).push(ready);
    else this.#take(ready, lane);
    return true;
  }

  #take(next: Item | Retry<Item>, lane: string): boolean {
    const retry = next instanceof Retry ? next : undefined;
    const item = next instanceof Retry ? next.item : next;
    this.#waiting -= this.#delivery.weightOf(item);
    return this.#run(item, lane, retry);
  }

  /** Returns true if the lane is free afterwards. */
  #run(item: Item, lane: string, retry?: Retry<Item>): boolean {
    const attempt = retry === undefined ? 1 : retry.attempt;
    const outcome = this.#call(item, attempt);
    if (typeof outcome === 'string') return this.#settle(outcome, item, lane, attempt);
    this.#running += 1;
    if (!this.#lanes.has(lane)) this.#lanes.set(lane, undefined);
    outcome.whenEnded((late) => {
      this.#running -= 1;
      if (this.#settle(late, item, lane, attempt)) this.#release(lane);
      this.#settleIdle();
      this.#pump();
    });
    return false;
  }

  #call(item: Item, attempt: number): CallOutcome | PendingCall {
    let outcome: CallOutcome | PendingCall;
    try {
      outcome = this.#delivery.call(item, attempt);
    } catch (error) {
      this.#isFailing = true;
      this.#delivery.onFailure(error);
      return 'retry';
    }
    if (this.#isFailing) {
      this.#isFailing = false;
      this.#delivery.onRecovered();
    }
    return outcome;
  }

  /** Returns true if the lane is free afterwards. */
  #settle(outcome: CallOutcome, item: Item, lane: string, attempt: number): boolean {
    if (outcome === 'done' || this.#isClosed) {
      this.#delivery.done(item);
      return true;
    }
    this.#waiting += this.#delivery.weightOf(item);
    if (outcome === 'hold') {
      this.#waitingIn(lane).unshift(item);
      this.#due.push(lane);
      return false;
    }
    const { backoff, keepsOrder } = this.#delivery;
    const retry = new Retry(item, attempt + 1);
    if (keepsOrder) this.#waitingIn(lane).unshift(retry);
    this.#after(backoff(attempt), () => {
      if (keepsOrder) this.#due.push(lane);
      else this.#ready.push(retry);
    });
    return !keepsOrder;
  }

  #after(ms: number, call: () => void): void {
    const cancel = this.#delivery.clock.after(ms, () => {
      this.#retryTimers.delete(cancel);
      call();
      this.#pump();
    });
    this.#retryTimers.add(cancel);
  }

  #waitingIn(lane: string): Fifo<Item | Retry<Item>> {
    let items = this.#lanes.get(lane);
    if (!items) this.#lanes.set(lane, (items = new Fifo()));
    return items;
  }

  #release(lane: string): void {
    if ((this.#lanes.get(lane)?.size ?? 0) > 0) this.#due.push(lane);
    else this.#lanes.delete(lane);
  }

  #drainIfHalfFree(): void {
    if (!this.#needsDrain || this.#isClosed || this.#waiting > this.#delivery.bound / 2) return;
    this.#needsDrain = false;
    this.#delivery.onDrain();
  }

  #settleIdle(): void {
    if (this.#running > 0) return;
    this.#idle?.resolve();
    this.#idle = undefined;
  }
}

/** A failed item that waits for its next attempt. */
class Retry<Item> {
  constructor(
    readonly item: Item,
    readonly attempt: number,
  ) {}
}
