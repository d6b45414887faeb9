import { isThenable } from './thenable.js';

/** How the items of one listener are called. */
export interface Delivery<Item> {
  /** Called once for each item; a promise keeps its lane busy. */
  readonly call: (item: Item) => unknown;
  readonly failed: (item: Item, error: unknown) => void;
  /** The call has ended, well or not. */
  readonly done: (item: Item) => void;
  /** Items of one lane are called one after the other, in order. */
  readonly laneOf: (item: Item) => string;
  readonly weightOf: (item: Item) => number;
  /** Lanes busy at once. */
  readonly concurrency: number;
  /** Weight that may wait. */
  readonly bound: number;
  /** Called after `hasRoom` has said no, as soon as half of the queue is free. */
  readonly roomAgain: () => void;
}

/** Longest run of handlers that finish synchronously, before other work of the process gets its turn. */
const SLICE_MS = 20;
const SLICE_CHECK = 64;

/**
 * The bounded queue of one listener: calls start in order; one for a busy lane waits for it without holding up the others. Handlers that finish
 * synchronously cost no allocation.
 */
export class DeliveryQueue<Item> {
  readonly #delivery: Delivery<Item>;
  readonly #ready = new Fifo<Item>();
  /** What waits for a lane that is busy. */
  readonly #lanes = new Map<string, Item[]>();
  /** Where something waits and nothing runs, because of a pause. */
  readonly #idleLanes = new Set<string>();
  #waiting = 0;
  #running = 0;
  #isStarted = false;
  #isPaused = false;
  #isPumping = false;
  #isClosed = false;
  #wantsRoom = false;
  #slice: NodeJS.Immediate | undefined;
  #idle: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;

  constructor(delivery: Delivery<Item>) {
    this.#delivery = delivery;
  }

  /** Items that wait, and calls that run. */
  get pending(): number {
    return this.#waiting + this.#running;
  }

  /** An item heavier than the bound is admitted when nothing waits. */
  hasRoom(weight: number): boolean {
    const room = this.#waiting === 0 || this.#waiting + weight <= this.#delivery.bound;
    if (!room) this.#wantsRoom = true;
    return room;
  }

  push(item: Item): void {
    if (this.#isClosed) return;
    if (this.#lanes.size === 0 && this.#ready.size === 0 && this.#isOpen() && !this.#isPumping) {
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

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** No further call starts until `resume`; items wait. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    for (const lane of [...this.#idleLanes]) {
      this.#idleLanes.delete(lane);
      this.#nextOf(lane);
    }
    this.#pump();
  }

  #isOpen(): boolean {
    return this.#isStarted && !this.#isPaused;
  }

  /** No further call starts; what waits is dropped. */
  close(): void {
    this.#isClosed = true;
    if (this.#slice) clearImmediate(this.#slice);
    this.#ready.clear();
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

  #pump(): void {
    if (this.#isPumping || !this.#isOpen() || this.#slice) return;
    this.#isPumping = true;
    const { concurrency, laneOf, weightOf } = this.#delivery;
    const until = performance.now() + SLICE_MS;
    for (let calls = 1; this.#isOpen() && this.#running < concurrency && this.#ready.size > 0; calls += 1) {
      const item = this.#ready.shift() as Item;
      const lane = laneOf(item);
      const waiting = this.#lanes.size > 0 ? this.#lanes.get(lane) : undefined;
      if (waiting) {
        waiting.push(item);
        continue;
      }
      this.#waiting -= weightOf(item);
      this.#run(item, lane);
      if (calls % SLICE_CHECK === 0 && performance.now() > until) {
        this.#slice = setImmediate(() => {
          this.#slice = undefined;
          this.#pump();
        });
        break;
      }
    }
    this.#isPumping = false;
    this.#offerRoom();
  }

  #run(item: Item, lane: string): void {
    try {
      const result = this.#delivery.call(item);
      if (isThenable(result)) {
        this.#running += 1;
        if (!this.#lanes.has(lane)) this.#lanes.set(lane, []);
        result.then(
          () => {
            this.#finished(item, lane);
          },
          (error: unknown) => {
            this.#delivery.failed(item, error);
            this.#finished(item, lane);
          },
        );
        return;
      }
    } catch (error) {
      this.#delivery.failed(item, error);
    }
    this.#delivery.done(item);
  }

  #finished(item: Item, lane: string): void {
    this.#running -= 1;
    this.#delivery.done(item);
    this.#nextOf(lane);
    this.#settleIdle();
    this.#pump();
  }

  /** What waited for this lane is older than everything that is ready for it. */
  #nextOf(lane: string): void {
    const waiting = this.#lanes.get(lane);
    while (waiting) {
      if (this.#isPaused && waiting.length > 0) {
        this.#idleLanes.add(lane);
        return;
      }
      const next = waiting.shift();
      if (next === undefined) break;
      this.#waiting -= this.#delivery.weightOf(next);
      const running = this.#running;
      this.#run(next, lane);
      if (this.#running > running) return;
    }
    this.#lanes.delete(lane);
  }

  #offerRoom(): void {
    if (!this.#wantsRoom || this.#isClosed || this.#waiting > this.#delivery.bound / 2) return;
    this.#wantsRoom = false;
    this.#delivery.roomAgain();
  }

  #settleIdle(): void {
    if (this.#running > 0) return;
    this.#idle?.resolve();
    this.#idle = undefined;
  }
}

/** An array whose head moves, so that taking from it does not move the rest. */
class Fifo<Item> {
  #items: (Item | undefined)[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  shift(): Item | undefined {
    if (this.size === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head += 1;
    if (this.#head === this.#items.length) this.clear();
    else if (this.#head >= 1_024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
  }
}
