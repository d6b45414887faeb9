import type { ChangeBatch, ChangeEvent } from '../stream/change-event.js';
import { type PendingCall, DeliveryQueue, type CallOutcome } from './delivery-queue.js';
import type { EventBuffer, EventBufferOptions } from './event-buffer.js';

/** The undelivered state of one key. */
interface LatestKey {
  readonly rawKey: string;
  /** The undelivered event. A later event of the key replaces it. */
  waiting: ChangeEvent | undefined;
  /** The event that the handler is called with. */
  current: ChangeEvent | undefined;
  /** Number of calls with `current`. */
  attempts: number;
  /** End of the debounce time, by the clock. */
  quietAt: number;
}

/**
 * Delivers the latest state of each key. It never stores more than one waiting event per key, so it always accepts
 * events. A key that was created and deleted before its call is not delivered. The calls of one key start in revision
 * order; the calls of different keys do not, because a later event replaces the waiting one and keeps its position.
 */
export class LatestEventBuffer implements EventBuffer {
  readonly queue: DeliveryQueue<LatestKey>;
  readonly #keys = new Map<string, LatestKey>();
  readonly #options: EventBufferOptions;
  readonly #pendingInitial = new Set<string>();
  /** Each cancels a debounce timer. */
  readonly #timers = new Set<() => void>();

  constructor(options: EventBufferOptions) {
    const { backoff, clock, delivery, onDrain, onFailure, onRecovered } = options;
    this.#options = options;
    this.queue = new DeliveryQueue<LatestKey>({
      call: (key, attempt) => this.#call(key, attempt),
      done: (key) => {
        this.#done(key);
      },
      laneOf: delivery.order === 'target' ? () => '' : ({ rawKey }) => rawKey,
      keepsOrder: true,
      weightOf: () => 1,
      concurrency: delivery.concurrency,
      bound: Infinity,
      backoff,
      clock,
      onDrain,
      onFailure,
      onRecovered,
    });
  }

  get pending(): number {
    let pending = 0;
    for (const { waiting, current } of this.#keys.values()) pending += (waiting ? 1 : 0) + (current ? 1 : 0);
    return pending;
  }

  get hasInitial(): boolean {
    return this.#pendingInitial.size > 0;
  }

  canAccept(): boolean {
    return true;
  }

  push({ origin, events }: ChangeBatch): void {
    if (origin === 'initial') for (const { rawKey } of events) this.#pendingInitial.add(rawKey);
    for (const event of events) this.#add(event);
  }

  close(): void {
    this.queue.close();
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
    this.#keys.clear();
  }

  #add(event: ChangeEvent): void {
    const { clock, delivery } = this.#options;
    const known = this.#keys.get(event.rawKey);
    const key = known ?? newKey(event.rawKey);
    if (!known) this.#keys.set(event.rawKey, key);
    key.waiting = key.waiting ? event.since(key.waiting) : event;
    if (delivery.debounceMs > 0) key.quietAt = clock.now() + delivery.debounceMs;
    // A known key is queued already, or its debounce timer checks `quietAt` again.
    if (!known) this.#enqueue(key);
  }

  /** Queues the key after its debounce time. */
  #enqueue(key: LatestKey): void {
    const remainingMs = this.#remainingQuietMs(key);
    if (remainingMs <= 0) {
      this.queue.push(key);
      return;
    }
    const cancel = this.#options.clock.after(remainingMs, () => {
      this.#timers.delete(cancel);
      this.#enqueue(key);
    });
    this.#timers.add(cancel);
  }

  #remainingQuietMs({ quietAt }: LatestKey): number {
    const { clock, delivery } = this.#options;
    return delivery.debounceMs > 0 ? quietAt - clock.now() : 0;
  }

  /** A retry uses the waiting event if one has arrived. A key that changed during its debounce time waits again. */
  #call(key: LatestKey, attempt: number): CallOutcome | PendingCall {
    if (key.waiting && this.#remainingQuietMs(key) > 0) return 'done';
    if (key.waiting || attempt === 1) key.attempts = 0;
    key.current = key.waiting ?? key.current;
    key.waiting = undefined;
    const { runner, delivery } = this.#options;
    const { current } = key;
    if (!current || (delivery.events !== 'both' && current.type !== delivery.events)) return 'done';
    key.attempts += 1;
    return runner.call(current, key.attempts);
  }

  #done(key: LatestKey): void {
    key.current = undefined;
    if (key.waiting) {
      this.#enqueue(key);
      return;
    }
    this.#keys.delete(key.rawKey);
    if (this.#pendingInitial.delete(key.rawKey) && this.#pendingInitial.size === 0) this.#options.onInitialDone();
  }
}

const newKey = (rawKey: string): LatestKey => ({
  rawKey,
  waiting: undefined,
  current: undefined,
  attempts: 0,
  quietAt: 0,
});
