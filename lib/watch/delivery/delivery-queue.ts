import type { IBackoff, IBackoffFactory } from 'cockatiel';
import type { Clock } from '../../timing/clock.js';
import { Fifo } from '../../collections/fifo.js';

/** What comes of a call. `again`: another attempt, after a wait. `keep`: another attempt as soon as the queue is resumed. */
export type CallOutcome = 'done' | 'retry' | 'hold';

/** A call that goes on. */
export interface PendingCall {
  /** Calls once it has ended. */
  whenEnded(ended: (outcome: CallOutcome) => void): void;
}

/** How the items of one listener are called. */
export interface Delivery<Item> {
  /** Called for each attempt, counted from 1; a call that goes on keeps the lane busy. Does not throw. */
  readonly call: (item: Item, attempt: number) => CallOutcome | PendingCall;
  /** There will be no further call for the item. */
  readonly done: (item: Item) => void;
  /** Items of one lane are never called at the same time. */
  readonly laneOf: (item: Item) => string;
  /** Whether the items of a lane are called in order, so that they wait for the last attempt of the one before. */
  readonly keepsOrder: boolean;
  readonly weightOf: (item: Item) => number;
  /** Calls that run at once. */
  readonly concurrency: number;
  /** Weight that may wait. */
  readonly bound: number;
  /** How long to wait before another attempt. */
  readonly backoff: IBackoffFactory<unknown>;
  readonly clock: Clock;
  /** Called after `hasRoom` has said no, as soon as half of the queue is free. */
  readonly onDrain: () => void;
}

/** Longest run of handlers that finish synchronously, before other work of the process gets its turn. */
const SLICE_MS = 20;
const SLICE_CHECK = 64;

/**
 * The bounded queue of one listener: calls start in order; one for a busy lane waits for it without holding up the others, and so does one that
 * failed and waits for another attempt. Handlers that finish synchronously cost no allocation.
 */
export class DeliveryQueue<Item> {
  readonly #delivery: Delivery<Item>;
  /** What came and was not looked at yet. */
  readonly #ready = new Fifo<Item | Retry<Item>>();
  /** Lanes where a call runs, or rests, or is due; and what waits for it, if anything does. */
  readonly #lanes = new Map<string, Fifo<Item | Retry<Item>> | undefined>();
  /** Lanes whose first one may be called now: older than everything that is ready. */
  readonly #due = new Fifo<string>();
  /** Timers of what rests before another attempt. */
  readonly #resting = new Set<() => void>();
  #waiting = 0;
  #running = 0;
  #isStarted = false;
  #isPaused = false;
  #isPumping = false;
  #isClosed = false;
  #wantsRoom = false;
  #cancelSlice: (() => void) | undefined;
  #idle: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;

  constructor(delivery: Delivery<Item>) {
    this.#delivery = delivery;
  }

  /** Weight that waits, and calls that run. */
  get pending(): number {
    return this.#waiting + this.#running;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** An item heavier than the bound is admitted when nothing waits. */
  canAccept(weight: number): boolean {
    const room = this.#waiting === 0 || this.#waiting + weight <= this.#delivery.bound;
    if (!room) this.#wantsRoom = true;
    return room;
  }

  push(item: Item): void {
    if (this.#isClosed) return;
    if (this.#lanes.size === 0 && this.#ready.size === 0 && this.#mayCall() && !this.#isPumping) {
      this.#isPumping = true;
      this.#run(item, this.#delivery.laneOf(item));
      this.#isPumping = false;
      return;
    }
    this.#waiting += this.#delivery.weightOf(item);
    this.#ready.push(item);
    this.#pump();
  }

  /** Before this, items only wait. */
  start(): void {
    this.#isStarted = true;
    this.#pump();
  }

  /** No further call starts until `resume`; items wait. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#pump();
  }

  /** No further call starts; what waits is dropped. */
  close(): void {
    this.#isClosed = true;
    this.#cancelSlice?.();
    for (const cancel of this.#resting) cancel();
    this.#resting.clear();
    this.#ready.clear();
    this.#due.clear();
    this.#lanes.clear();
    this.#waiting = 0;
    this.#settleIdle();
  }

  /** Resolves when no call runs any more. */
  idle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve();
    if (!this.#idle) {
      let resolve!: () => void;
      const promise = new Promise<void>((settle) => {
        resolve = settle;
      });
      this.#idle = { promise, resolve };
    }
    return this.#idle.promise;
  }

  #mayCall(): boolean {
    return this.#isStarted && !this.#isPaused && !this.#isClosed;
  }

  #pump(): void {
    if (this.#isPumping || this.#cancelSlice) return;
    this.#isPumping = true;
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
    this.#isPumping = false;
    this.#offerRoom();
  }

  /** @returns whether there was something to do */
  #next(): boolean {
    const due = this.#due.shift();
    if (due !== undefined) {
      const first = this.#lanes.get(due)?.shift();
      if (first !== undefined && this.#take(first, due)) this.#free(due);
      return true;
    }
    const ready = this.#ready.shift();
    if (ready === undefined) return false;
    const lane = this.#delivery.laneOf(ready instanceof Retry ? ready.item : ready);
    if (this.#lanes.size > 0 && this.#lanes.has(lane)) this.#behind(lane).push(ready);
    else this.#take(ready, lane);
    return true;
  }

  #take(next: Item | Retry<Item>, lane: string): boolean {
    const retry = next instanceof Retry ? next : undefined;
    const item = next instanceof Retry ? next.item : next;
    this.#waiting -= this.#delivery.weightOf(item);
    return this.#run(item, lane, retry);
  }

  /** @returns whether the lane is free afterwards */
  #run(item: Item, lane: string, retry?: Retry<Item>): boolean {
    const outcome = this.#delivery.call(item, retry === undefined ? 1 : retry.attempt);
    if (typeof outcome === 'string') return this.#settle(outcome, item, lane, retry);
    this.#running += 1;
    if (!this.#lanes.has(lane)) this.#lanes.set(lane, undefined);
    outcome.whenEnded((late) => {
      this.#running -= 1;
      if (this.#settle(late, item, lane, retry)) this.#free(lane);
      this.#settleIdle();
      this.#pump();
    });
    return false;
  }

  /** @returns whether the lane is free afterwards */
  #settle(outcome: CallOutcome, item: Item, lane: string, retry: Retry<Item> | undefined): boolean {
    if (outcome === 'done' || this.#isClosed) {
      this.#delivery.done(item);
      return true;
    }
    this.#waiting += this.#delivery.weightOf(item);
    if (outcome === 'hold') {
      this.#behind(lane).unshift(item);
      this.#due.push(lane);
      return false;
    }
    const { backoff, keepsOrder } = this.#delivery;
    const rest = (retry?.rest ?? backoff).next(undefined);
    const another = new Retry(item, (retry?.attempt ?? 1) + 1, rest);
    if (keepsOrder) this.#behind(lane).unshift(another);
    this.#after(rest.duration, () => {
      if (keepsOrder) this.#due.push(lane);
      else this.#ready.push(another);
    });
    return !keepsOrder;
  }

  #after(ms: number, call: () => void): void {
    const cancel = this.#delivery.clock.after(ms, () => {
      this.#resting.delete(cancel);
      call();
      this.#pump();
    });
    this.#resting.add(cancel);
  }

  /** What waits behind the call, or the rest, of a lane. */
  #behind(lane: string): Fifo<Item | Retry<Item>> {
    let queue = this.#lanes.get(lane);
    if (!queue) this.#lanes.set(lane, (queue = new Fifo()));
    return queue;
  }

  #free(lane: string): void {
    if ((this.#lanes.get(lane)?.size ?? 0) > 0) this.#due.push(lane);
    else this.#lanes.delete(lane);
  }

  #offerRoom(): void {
    if (!this.#wantsRoom || this.#isClosed || this.#waiting > this.#delivery.bound / 2) return;
    this.#wantsRoom = false;
    this.#delivery.onDrain();
  }

  #settleIdle(): void {
    if (this.#running > 0) return;
    this.#idle?.resolve();
    this.#idle = undefined;
  }
}

/** An item that failed, and what is known of its next attempt. */
class Retry<Item> {
  constructor(
    readonly item: Item,
    readonly attempt: number,
    readonly rest: IBackoff<unknown>,
  ) {}
}
