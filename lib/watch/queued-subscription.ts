import type { EtcdTriggerError } from '../etcd-trigger.errors.js';
import type { ChangeBatch, ChangeEvent } from './change-event.js';
import { DeliveryQueue } from './delivery-queue.js';
import { announceResync, describeFailure } from './listener-failure.js';
import type { InstanceLog } from './instance-log.js';
import type { RangeListener, Seat } from './range-listener.js';
import type { ResyncNotice, WatchBatch, WatchEvent, WatchTarget } from './watch-event.js';
import type { WatchSubscription } from './watch-options.js';

/** Events, or batches, that a listener may have waiting before it leaves the shared stream. */
const QUEUE_BOUND = 1_000;
/** Keys handled at once. */
const CONCURRENCY = 16;

/** What is called: for each event, or for each revision. */
export type WatchHandler =
  { readonly event: (event: WatchEvent) => unknown } | { readonly batch: (batch: WatchBatch) => unknown };

type Item = ChangeEvent | ChangeBatch;

export interface QueuedSubscriptionOptions {
  readonly target: WatchTarget;
  /** Names the handler in log lines, as `OrderEvents.onOrder` or `handler of prefix "/app/"`. */
  readonly name: string;
  readonly log: InstanceLog;
  readonly onResync: ((notice: ResyncNotice) => void) | undefined;
  /** Called once, when it ends. */
  readonly ended: () => void;
}

/** A handler behind its queue: what it does slowly, wrongly or never delays only its own events. */
export class QueuedSubscription implements RangeListener, WatchSubscription {
  readonly target: WatchTarget;
  readonly initialDelivered: Promise<void>;
  readonly closed: Promise<EtcdTriggerError | undefined>;
  readonly #options: QueuedSubscriptionOptions;
  readonly #isBatched: boolean;
  readonly #queue: DeliveryQueue<Item>;
  #seat: Seat | undefined;
  #leave: () => void = () => undefined;
  #initialLeft = 0;
  #settleInitial!: () => void;
  #settleClosed!: (reason: EtcdTriggerError | undefined) => void;
  #isClosed = false;
  #failures = 0;

  constructor(handler: WatchHandler, options: QueuedSubscriptionOptions) {
    const isBatched = 'batch' in handler;
    const call = (isBatched ? handler.batch : handler.event) as (item: Item) => unknown;
    this.target = options.target;
    this.#options = options;
    this.#isBatched = isBatched;
    this.initialDelivered = new Promise((resolve) => {
      this.#settleInitial = resolve;
    });
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
    this.#queue = new DeliveryQueue<Item>({
      call,
      failed: (item, error) => {
        this.#failed(item, error);
      },
      done: (item) => {
        this.#done(item);
      },
      laneOf: isBatched ? () => '' : (item) => (item as ChangeEvent).id,
      weightOf: isBatched ? (item) => (item as ChangeBatch).events.length : () => 1,
      concurrency: isBatched ? 1 : CONCURRENCY,
      bound: QUEUE_BOUND,
      roomAgain: () => this.#seat?.roomAgain(),
    });
  }

  get status(): WatchSubscription['status'] {
    if (this.#isClosed) return 'closed';
    return this.#seat?.isFollowing === true ? 'following' : 'interrupted';
  }

  get revision(): number {
    return this.#seat?.revision ?? 0;
  }

  get failures(): number {
    return this.#failures;
  }

  get pending(): number {
    return this.#queue.pending;
  }

  /** The listener has its place; `leave` gives it up. */
  seated(seat: Seat, leave: () => void): void {
    this.#seat = seat;
    this.#leave = leave;
  }

  /** Calls begin in a later turn of the event loop, so that who awaits the subscription has it before the first call. */
  listed(): void {
    if (this.#initialLeft === 0) this.#settleInitial();
    setImmediate(() => {
      this.#queue.start();
    });
  }

  hasRoom(count: number): boolean {
    return this.#queue.hasRoom(count);
  }

  deliver(batch: ChangeBatch, notice: ResyncNotice | undefined): void {
    if (notice) announceResync(notice, this.#options);
    if (batch.events.length === 0) return;
    if (batch.origin === 'initial') this.#initialLeft += this.#isBatched ? 1 : batch.events.length;
    if (this.#isBatched) this.#queue.push(batch);
    else for (const event of batch.events) this.#queue.push(event);
  }

  close(): Promise<void> {
    this.end(undefined);
    return Promise.resolve();
  }

  /** Like `close`, for a reason. */
  end(reason: EtcdTriggerError | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#leave();
    this.#queue.close();
    this.#settleInitial();
    void this.#queue.idle().then(() => {
      this.#settleClosed(reason);
    });
    this.#options.ended();
  }

  #done({ origin }: Item): void {
    if (origin === 'initial' && (this.#initialLeft -= 1) === 0) this.#settleInitial();
  }

  #failed(item: Item, error: unknown): void {
    this.#failures += 1;
    const subject = 'key' in item ? `key "${item.key}"` : `${item.events.length} events`;
    this.#options.log.error(
      `${this.#options.name} failed for ${subject} at revision ${item.revision}: ${describeFailure(error)}`,
    );
  }
}
