import { ExponentialBackoff, type IBackoffFactory } from 'cockatiel';
import type { EtcdTriggerError } from '../etcd-trigger.errors.js';
import type { ChangeBatch, ChangeEvent } from './change-event.js';
import { type DeliveryClock, SYSTEM_CLOCK } from './delivery-clock.js';
import type { DeliveryContext } from './delivery-context.js';
import type { ResolvedDelivery } from './delivery-options.js';
import type { Delivered, EventIntake, EventIntakeOptions } from './event-intake.js';
import { EveryIntake } from './every-intake.js';
import { HandlerCaller } from './handler-caller.js';
import { KeyRange } from './key-range.js';
import type { InstanceLog } from './instance-log.js';
import { LatestIntake } from './latest-intake.js';
import {
  announceFailure,
  announceResync,
  describeFailure,
  FinalFailure,
  type WatchFailure,
} from './listener-failure.js';
import type { RangeListener, Seat } from './range-listener.js';
import type { ResyncNotice, WatchBatch, WatchEvent, WatchTarget } from './watch-event.js';
import type { WatchSubscription } from './watch-options.js';

/** What is called: for each event, or for each revision. */
export type WatchHandler =
  | { readonly event: (event: WatchEvent, context: DeliveryContext) => unknown }
  | { readonly batch: (batch: WatchBatch, context: DeliveryContext) => unknown };

export interface QueuedSubscriptionOptions {
  readonly target: WatchTarget;
  /** Names the handler in log lines, as `OrderEvents.onOrder` or `handler of prefix "/app/"`. */
  readonly name: string;
  readonly log: InstanceLog;
  readonly delivery: ResolvedDelivery;
  readonly onResync: ((notice: ResyncNotice) => unknown) | undefined;
  /** Each is called with what was given up. */
  readonly onError: readonly ((failure: WatchFailure) => unknown)[];
  /** Called once, when it ends. */
  readonly ended: () => void;
  /** @default the system's */
  readonly clock?: DeliveryClock;
  /** @default exponential, with jitter, within the limits of `delivery.backoff` */
  readonly backoff?: IBackoffFactory<unknown>;
}

/** A handler behind its queue: what it does slowly, wrongly or never delays only its own events. */
export class QueuedSubscription implements RangeListener, WatchSubscription {
  readonly target: WatchTarget;
  readonly initialDelivered: Promise<void>;
  readonly closed: Promise<EtcdTriggerError | undefined>;
  readonly #options: QueuedSubscriptionOptions;
  readonly #caller: HandlerCaller<Delivered>;
  readonly #intake: EventIntake;
  #seat: Seat | undefined;
  #leave: () => void = () => undefined;
  #settleInitial!: () => void;
  #settleClosed!: (reason: EtcdTriggerError | undefined) => void;
  /** Calls of `onResync` and `onError` that go on. */
  readonly #announcing = new Set<Promise<void>>();
  #isClosed = false;
  #halted: WatchFailure | undefined;

  constructor(handler: WatchHandler, options: QueuedSubscriptionOptions) {
    this.target = options.target;
    this.#options = options;
    this.initialDelivered = new Promise((resolve) => {
      this.#settleInitial = resolve;
    });
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
    this.#caller = this.#callerOf(handler);
    this.#intake = this.#intakeOf('batch' in handler ? 'batch' : 'event');
  }

  /** As a sentence calls its target: `prefix "/app/"`. */
  get targetName(): string {
    return KeyRange.of(this.target).toString();
  }

  /** Names the handler in log lines. */
  get name(): string {
    return this.#options.name;
  }

  get status(): WatchSubscription['status'] {
    if (this.#isClosed) return 'closed';
    return this.#seat?.state ?? 'starting';
  }

  get revision(): number {
    return this.#seat?.revision ?? 0;
  }

  /** Revisions that this listener is behind what is known of its target. */
  get lag(): number {
    return this.#seat?.lag ?? 0;
  }

  get calls(): number {
    return this.#caller.calls;
  }

  get failures(): number {
    return this.#caller.failures;
  }

  get pending(): number {
    return this.#intake.pending;
  }

  get paused(): boolean {
    return this.#intake.queue.isPaused;
  }

  get halted(): WatchFailure | undefined {
    return this.#halted;
  }

  pause(): void {
    this.#intake.queue.pause();
  }

  resume(): void {
    this.#halted = undefined;
    this.#intake.queue.resume();
  }

  /** The listener has its place; `leave` gives it up. */
  seated(seat: Seat, leave: () => void): void {
    this.#seat = seat;
    this.#leave = leave;
  }

  /** Calls begin in a later turn of the event loop, so that who awaits the subscription has it before the first call. */
  listed(): void {
    if (!this.#intake.hasInitial) this.#settleInitial();
    this.#clock.soon(() => {
      this.#intake.queue.start();
    });
  }

  hasRoom(count: number): boolean {
    return this.#intake.hasRoom(count);
  }

  deliver(batch: ChangeBatch, notice: ResyncNotice | undefined): void {
    if (notice) this.#await(announceResync(notice, this.#options));
    this.#intake.take(batch);
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
    this.#intake.close();
    this.#settleInitial();
    void this.#idle().then(() => {
      this.#settleClosed(reason);
    });
    this.#options.ended();
  }

  /** Tells the calls that still run to end. */
  abort(reason: unknown): void {
    this.#caller.abort(reason);
  }

  get #clock(): DeliveryClock {
    return this.#options.clock ?? SYSTEM_CLOCK;
  }

  #callerOf(handler: WatchHandler): HandlerCaller<Delivered> {
    const call = 'batch' in handler ? handler.batch : handler.event;
    const { delivery, name } = this.#options;
    return new HandlerCaller<Delivered>({
      handler: call as (item: Delivered, context: DeliveryContext) => unknown,
      terms: delivery,
      clock: this.#clock,
      describe: (item) => `${name} did not finish with ${subjectOf(item)}`,
      gaveUp: (item, attempts, error) => {
        this.#gaveUp(item, attempts, error);
      },
    });
  }

  #intakeOf(kind: 'event' | 'batch'): EventIntake {
    const { backoff, delivery } = this.#options;
    const { initialMs: initialDelay, maxMs: maxDelay } = delivery.backoff;
    const options: EventIntakeOptions = {
      caller: this.#caller,
      delivery,
      // Made when something failed: most handlers never need it.
      backoff: backoff ?? { next: () => new ExponentialBackoff({ initialDelay, maxDelay }).next() },
      clock: this.#clock,
      roomAgain: () => this.#seat?.roomAgain(),
      initialDone: () => {
        this.#settleInitial();
      },
    };
    return delivery.delivery === 'latest' ? new LatestIntake(options) : new EveryIntake(kind, options);
  }

  #gaveUp(item: Delivered, attempts: number, error: unknown): void {
    const { delivery, log, name, onError } = this.#options;
    const failure: WatchFailure = { ...contentsOf(item), handler: name, attempts, error: causeOf(error) };
    const halts = delivery.onExhausted === 'halt';
    if (halts) {
      this.#halted ??= failure;
      this.pause();
    }
    log.error(
      `${name} failed for ${subjectOf(item)}${attempts > 1 ? `, ${attempts} times` : ''}: ${describeFailure(error)}${halts ? '; it is halted until resume()' : ''}`,
    );
    for (const listener of onError) this.#await(announceFailure(failure, { log, onError: listener }));
  }

  #await(announcing: Promise<void>): void {
    this.#announcing.add(announcing);
    void announcing.then(() => this.#announcing.delete(announcing));
  }

  /** The last calls may have been given up, and announce that. */
  async #idle(): Promise<void> {
    await this.#intake.queue.idle();
    await Promise.all(this.#announcing);
  }
}

const causeOf = (error: unknown): unknown => (error instanceof FinalFailure ? error.error : error);

const isEvent = (item: Delivered): item is ChangeEvent => 'key' in item;

const subjectOf = (item: Delivered): string =>
  `${isEvent(item) ? `key "${item.key}"` : `${item.events.length} events`} at revision ${item.revision}`;

const contentsOf = (item: Delivered): Pick<WatchFailure, 'event' | 'batch'> =>
  isEvent(item) ? { event: item, batch: undefined } : { event: item.events[0] as ChangeEvent, batch: item };
