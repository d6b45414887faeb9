import type { EtcdTriggerError } from '../etcd-trigger.errors.js';
import type { ChangeBatch, ChangeEvent } from './change-event.js';
import { CallContext, type DeliveryContext } from './delivery-context.js';
import type { ResolvedDelivery } from './delivery-options.js';
import { DeliveryQueue } from './delivery-queue.js';
import {
  announceFailure,
  announceResync,
  describeFailure,
  FinalFailure,
  type WatchFailure,
} from './listener-failure.js';
import type { InstanceLog } from './instance-log.js';
import type { RangeListener, Seat } from './range-listener.js';
import type { ResyncNotice, WatchBatch, WatchEvent, WatchTarget } from './watch-event.js';
import { isThenable } from './thenable.js';
import type { WatchSubscription } from './watch-options.js';

/** Events, or batches, that a listener may have waiting before it leaves the shared stream. */
const QUEUE_BOUND = 1_000;

/** What is called: for each event, or for each revision. */
export type WatchHandler =
  | { readonly event: (event: WatchEvent, context: DeliveryContext) => unknown }
  | { readonly batch: (batch: WatchBatch, context: DeliveryContext) => unknown };

type Item = ChangeEvent | ChangeBatch;
type Call = (item: Item, context: DeliveryContext) => unknown;

export interface QueuedSubscriptionOptions {
  readonly target: WatchTarget;
  /** Names the handler in log lines, as `OrderEvents.onOrder` or `handler of prefix "/app/"`. */
  readonly name: string;
  readonly log: InstanceLog;
  readonly delivery: ResolvedDelivery;
  readonly onResync: ((notice: ResyncNotice) => void) | undefined;
  /** Each is called with what was given up. */
  readonly onError: readonly ((failure: WatchFailure) => void)[];
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
  readonly #call: Call;
  /** Used again as long as no call has kept it. */
  #context = new CallContext();
  readonly #running = new Set<CallContext>();
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
    this.#call = (isBatched ? handler.batch : handler.event) as Call;
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
      call: (item) => this.#run(item),
      failed: (item, error) => {
        this.#failed(item, error);
      },
      done: (item) => {
        this.#done(item);
      },
      laneOf: isBatched || options.delivery.order === 'target' ? () => '' : (item) => (item as ChangeEvent).id,
      weightOf: isBatched ? (item) => (item as ChangeBatch).events.length : () => 1,
      concurrency: isBatched || options.delivery.order === 'target' ? 1 : options.delivery.concurrency,
      bound: QUEUE_BOUND,
      roomAgain: () => this.#seat?.roomAgain(),
    });
  }

  /** Names the handler in log lines. */
  get name(): string {
    return this.#options.name;
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

  get paused(): boolean {
    return this.#queue.isPaused;
  }

  pause(): void {
    this.#queue.pause();
  }

  resume(): void {
    this.#queue.resume();
  }

  /** Tells the calls that still run to end. */
  abort(reason: unknown): void {
    for (const context of this.#running) context.abort(reason);
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
    const { events } = this.#options.delivery;
    const wanted =
      events === 'both' ? batch : { ...batch, events: batch.events.filter((event) => event.type === events) };
    if (wanted.events.length === 0) return;
    if (wanted.origin === 'initial') this.#initialLeft += this.#isBatched ? 1 : wanted.events.length;
    if (this.#isBatched) this.#queue.push(wanted);
    else for (const event of wanted.events) this.#queue.push(event);
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

  #run(item: Item): unknown {
    const context = this.#context;
    const result = this.#call(item, context);
    if (context.isTaken || isThenable(result)) this.#context = new CallContext();
    if (!isThenable(result)) return undefined;
    this.#running.add(context);
    const ended = (): void => {
      this.#running.delete(context);
    };
    result.then(ended, ended);
    return result;
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
    const batch = 'key' in item ? undefined : item;
    const event = 'key' in item ? item : (item.events[0] as ChangeEvent);
    const failure: WatchFailure = { event, batch, handler: this.#options.name, attempts: 1, error: causeOf(error) };
    for (const onError of this.#options.onError) announceFailure(failure, { log: this.#options.log, onError });
  }
}

const causeOf = (error: unknown): unknown => (error instanceof FinalFailure ? error.error : error);
