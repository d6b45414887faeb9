import type { ChangeBatch, ChangeEvent } from '../stream/change-event.js';
import type { Deliverable } from './deliverable.js';
import { DeliveryQueue } from './delivery-queue.js';
import type { EventBuffer, EventBufferOptions } from './event-buffer.js';

/** Maximum number of waiting events. A listener beyond it leaves the shared stream. */
const QUEUE_BOUND = 1_000;

/** Delivers every event, or every batch. */
export class EveryEventBuffer implements EventBuffer {
  readonly queue: DeliveryQueue<Deliverable>;
  readonly #isBatched: boolean;
  readonly #options: EventBufferOptions;
  #pendingInitial = 0;

  constructor(kind: 'event' | 'batch', options: EventBufferOptions) {
    const { backoff, runner, clock, delivery, onDrain, onFailure, onRecovered } = options;
    const { concurrency, order } = delivery;
    this.#isBatched = kind === 'batch';
    this.#options = options;
    this.queue = new DeliveryQueue<Deliverable>({
      call: (item, attempt) => runner.call(item, attempt),
      done: (item) => {
        this.#done(item);
      },
      laneOf: order === 'target' ? () => '' : (item) => (item as ChangeEvent).rawKey,
      keepsOrder: order !== 'none',
      weightOf: this.#isBatched ? (item) => (item as ChangeBatch).events.length : () => 1,
      concurrency,
      bound: QUEUE_BOUND,
      backoff,
      clock,
      onDrain,
      onFailure,
      onRecovered,
    });
  }

  get pending(): number {
    return this.queue.pending;
  }

  get hasInitial(): boolean {
    return this.#pendingInitial > 0;
  }

  canAccept(count: number): boolean {
    return this.queue.canAccept(count);
  }

  push(batch: ChangeBatch): void {
    const selected = this.#select(batch);
    if (selected.events.length === 0) return;
    if (selected.origin === 'initial') this.#pendingInitial += this.#isBatched ? 1 : selected.events.length;
    if (this.#isBatched) this.queue.push(selected);
    else for (const event of selected.events) this.queue.push(event);
  }

  close(): void {
    this.queue.close();
  }

  /** Applies the option `events`. */
  #select(batch: ChangeBatch): ChangeBatch {
    const { events } = this.#options.delivery;
    if (events === 'both') return batch;
    const { revision, origin } = batch;
    return { revision, events: batch.events.filter(({ type }) => type === events), origin };
  }

  #done({ origin }: Deliverable): void {
    if (origin === 'initial' && (this.#pendingInitial -= 1) === 0) this.#options.onInitialDone();
  }
}
