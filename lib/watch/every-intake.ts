import type { ChangeBatch, ChangeEvent } from './change-event.js';
import { DeliveryQueue } from './delivery-queue.js';
import type { Delivered, EventIntake, EventIntakeOptions } from './event-intake.js';

/** Events, or events in batches, that may wait for a handler before it leaves the shared stream. */
const QUEUE_BOUND = 1_000;

/** Hands over every event, or every batch. */
export class EveryIntake implements EventIntake {
  readonly queue: DeliveryQueue<Delivered>;
  readonly #isBatched: boolean;
  readonly #options: EventIntakeOptions;
  #initialLeft = 0;

  constructor(kind: 'event' | 'batch', options: EventIntakeOptions) {
    const { backoff, caller, clock, delivery, roomAgain } = options;
    const { concurrency, order } = delivery;
    this.#isBatched = kind === 'batch';
    this.#options = options;
    this.queue = new DeliveryQueue<Delivered>({
      call: (item, attempt) => caller.call(item, attempt),
      done: (item) => {
        this.#done(item);
      },
      laneOf: order === 'target' ? () => '' : (item) => (item as ChangeEvent).id,
      keepsOrder: order !== 'none',
      weightOf: this.#isBatched ? (item) => (item as ChangeBatch).events.length : () => 1,
      concurrency,
      bound: QUEUE_BOUND,
      backoff,
      clock,
      roomAgain,
    });
  }

  get pending(): number {
    return this.queue.pending;
  }

  get hasInitial(): boolean {
    return this.#initialLeft > 0;
  }

  hasRoom(count: number): boolean {
    return this.queue.hasRoom(count);
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

  #done({ origin }: Delivered): void {
    if (origin === 'initial' && (this.#initialLeft -= 1) === 0) this.#options.initialDone();
  }
}
