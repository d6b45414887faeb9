import type { ChangeBatch, ChangeEvent } from '../stream/change-event.js';
import { type PendingCall, DeliveryQueue, type CallOutcome } from './delivery-queue.js';
import type { EventBuffer, EventBufferOptions } from './event-buffer.js';

/** One key of which something is to be handed over. */
interface LatestKey {
  readonly rawKey: string;
  /** What came and was not handed over: at most one event, for the next one takes its place. */
  waiting: ChangeEvent | undefined;
  /** What the handler is called with, until it is done with it. */
  current: ChangeEvent | undefined;
  /** Calls with `current`. */
  attempts: number;
  /** When it will have been quiet for long enough. */
  quietAt: number;
}

/**
 * Hands over last states. It holds as many keys as the target has, or the handler was given, and so always has room: a key that came and went before
 * its turn is forgotten.
 */
export class LatestEventBuffer implements EventBuffer {
  readonly queue: DeliveryQueue<LatestKey>;
  readonly #keys = new Map<string, LatestKey>();
  readonly #options: EventBufferOptions;
  readonly #initial = new Set<string>();
  readonly #timers = new Set<() => void>();

  constructor(options: EventBufferOptions) {
    const { backoff, clock, delivery, onDrain } = options;
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
    });
  }

  get pending(): number {
    let pending = 0;
    for (const { waiting, current } of this.#keys.values()) pending += (waiting ? 1 : 0) + (current ? 1 : 0);
    return pending;
  }

  get hasInitial(): boolean {
    return this.#initial.size > 0;
  }

  canAccept(): boolean {
    return true;
  }

  take({ origin, events }: ChangeBatch): void {
    if (origin === 'initial') for (const { rawKey } of events) this.#initial.add(rawKey);
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
    // One that is queued is handed over in its turn; one that rests looks at `quietAt` when its time is over.
    if (!known) this.#enqueue(key);
  }

  /** As soon as it has been quiet for long enough. */
  #enqueue(key: LatestKey): void {
    const rest = this.#restOf(key);
    if (rest <= 0) {
      this.queue.push(key);
      return;
    }
    const cancel = this.#options.clock.after(rest, () => {
      this.#timers.delete(cancel);
      this.#enqueue(key);
    });
    this.#timers.add(cancel);
  }

  #restOf({ quietAt }: LatestKey): number {
    const { clock, delivery } = this.#options;
    return delivery.debounceMs > 0 ? quietAt - clock.now() : 0;
  }

  /** Another attempt is made with what has come in the meantime, if anything has; what is not quiet any more rests again. */
  #call(key: LatestKey, attempt: number): CallOutcome | PendingCall {
    if (key.waiting && this.#restOf(key) > 0) return 'done';
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
    if (this.#initial.delete(key.rawKey) && this.#initial.size === 0) this.#options.initialDone();
  }
}

const newKey = (rawKey: string): LatestKey => ({
  rawKey,
  waiting: undefined,
  current: undefined,
  attempts: 0,
  quietAt: 0,
});
