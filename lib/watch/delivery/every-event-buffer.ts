import type { ChangeBatch, ChangeEvent } from '../stream/change-event.js';
import { DeliveryQueue } from './delivery-queue.js';
import type { Deliverable, EventBuffer, EventBufferOptions } from './event-buffer.js';

/** Events, or events in batches, that may wait for a handler before it leaves the shared stream. */
const QUEUE_BOUND = 1_000;

/** Hands over every event, or every batch. */
export class EveryEventBuffer implements EventBuffer {
  readonly queue: DeliveryQueue<Deliverable>;
  readonly #isBatched: boolean;
  readonly #options: EventBufferOptions;
  #initialLeft = 0;

  constructor(kind: 'event' | 'batch', options: EventBufferOptions) {
    const { backoff, runner, clock, delivery, onDrain } = options;
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
    });
  }

  get pending(): number {
    return this.queue.pending;
  }

  get hasInitial(): boolean {
    return this.#initialLeft > 0;
  }

  canAccept(count: number): boolean {
    return this.queue.canAccept(count);
  }

  take(batch: ChangeBatch): void {
    const wanted = this.#wantedOf(batch);
    if (wanted.events.length === 0) return;
    if (wanted.origin === 'initial') this.#initialLeft += this.#isBatched ? 1 : wanted.events.length;
    if (this.#isBatched) this.queue.push(wanted);
    else for (const event of wanted.events) this.queue.push(event);
  }

  close(): void {
    this.queue.close();
  }

  #wantedOf(batch: ChangeBatch): ChangeBatch {
    const { events } = this.#options.delivery;
    if (events === 'both') return batch;
    const { revision, origin } = batch;
    return { revision, events: batch.events.filter(({ type }) => type === events), origin };
  }

  #done({ origin }: Deliverable): void {
    if (origin === 'initial' && (this.#initialLeft -= 1) === 0) this.#options.initialDone();
  }
}
