import { ExponentialBackoff, type IBackoffFactory } from 'cockatiel';
import type { EtcdTriggerError } from '../../etcd-trigger.errors.js';
import { type Clock, SYSTEM_CLOCK } from '../../timing/clock.js';
import { KeyRange, type WatchTarget } from '../../backend/key-range.js';
import type { InstanceLog } from '../../etcd-trigger.log.js';
import type { ChangeBatch, ChangeEvent } from '../stream/change-event.js';
import type { RangeListener, ListenerRegistration } from '../sharing/range-listener.js';
import { type DeliveryContext, type ResyncNotice, type WatchFailure, type WatchHandler } from '../watch-event.js';
import type { ResolvedDelivery } from './delivery-options.js';
import type { Deliverable, EventBuffer, EventBufferOptions } from './event-buffer.js';
import { EveryEventBuffer } from './every-event-buffer.js';
import { HandlerRunner } from './handler-runner.js';
import { LatestEventBuffer } from './latest-event-buffer.js';
import { announceFailure, announceResync, describeFailure, FinalFailure } from './listener-failure.js';
import type { WatchSubscription } from './watch-options.js';

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
  readonly clock?: Clock;
  /** @default exponential, with jitter, within the limits of `delivery.backoff` */
  readonly backoff?: IBackoffFactory<unknown>;
}

/** A handler behind its queue: what it does slowly, wrongly or never delays only its own events. */
export class QueuedSubscription implements RangeListener, WatchSubscription {
  readonly target: WatchTarget;
  readonly initialDelivered: Promise<void>;
  readonly closed: Promise<EtcdTriggerError | undefined>;
  readonly #options: QueuedSubscriptionOptions;
  readonly #runner: HandlerRunner<Deliverable>;
  readonly #buffer: EventBuffer;
  #registration: ListenerRegistration | undefined;
  #unregister: () => void = () => undefined;
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
    this.#runner = this.#runnerOf(handler);
    this.#buffer = this.#bufferOf('batch' in handler ? 'batch' : 'event');
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
    return this.#registration?.state ?? 'starting';
  }

  get revision(): number {
    return this.#registration?.revision ?? 0;
  }

  /** Revisions that this listener is behind what is known of its target. */
  get lag(): number {
    return this.#registration?.lag ?? 0;
  }

  get calls(): number {
    return this.#runner.calls;
  }

  get failures(): number {
    return this.#runner.failures;
  }

  get pending(): number {
    return this.#buffer.pending;
  }

  get paused(): boolean {
    return this.#buffer.queue.isPaused;
  }

  get halted(): WatchFailure | undefined {
    return this.#halted;
  }

  pause(): void {
    this.#buffer.queue.pause();
  }

  resume(): void {
    this.#halted = undefined;
    this.#buffer.queue.resume();
  }

  /** The listener has its place; `leave` gives it up. */
  registered(registration: ListenerRegistration, unregister: () => void): void {
    this.#registration = registration;
    this.#unregister = unregister;
  }

  /** Calls begin in a later turn of the event loop, so that who awaits the subscription has it before the first call. */
  listed(): void {
    if (!this.#buffer.hasInitial) this.#settleInitial();
    this.#clock.soon(() => {
      this.#buffer.queue.start();
    });
  }

  canAccept(count: number): boolean {
    return this.#buffer.canAccept(count);
  }

  deliver(batch: ChangeBatch, notice: ResyncNotice | undefined): void {
    if (notice) this.#await(announceResync(notice, this.#options));
    this.#buffer.take(batch);
  }

  close(): Promise<void> {
    this.end(undefined);
    return Promise.resolve();
  }

  /** Like `close`, for a reason. */
  end(reason: EtcdTriggerError | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unregister();
    this.#buffer.close();
    this.#settleInitial();
    void this.#idle().then(() => {
      this.#settleClosed(reason);
    });
    this.#options.ended();
  }

  /** Tells the calls that still run to end. */
  abort(reason: unknown): void {
    this.#runner.abort(reason);
  }

  get #clock(): Clock {
    return this.#options.clock ?? SYSTEM_CLOCK;
  }

  #runnerOf(handler: WatchHandler): HandlerRunner<Deliverable> {
    const call = 'batch' in handler ? handler.batch : handler.event;
    const { delivery, name } = this.#options;
    return new HandlerRunner<Deliverable>({
      handler: call as (item: Deliverable, context: DeliveryContext) => unknown,
      terms: delivery,
      clock: this.#clock,
      describe: (item) => `${name} did not finish with ${subjectOf(item)}`,
      gaveUp: (item, attempts, error) => {
        this.#gaveUp(item, attempts, error);
      },
    });
  }

  #bufferOf(kind: 'event' | 'batch'): EventBuffer {
    const { backoff, delivery } = this.#options;
    const { initialMs: initialDelay, maxMs: maxDelay } = delivery.backoff;
    const options: EventBufferOptions = {
      runner: this.#runner,
      delivery,
      // Made when something failed: most handlers never need it.
      backoff: backoff ?? { next: () => new ExponentialBackoff({ initialDelay, maxDelay }).next() },
      clock: this.#clock,
      onDrain: () => this.#registration?.onDrain(),
      initialDone: () => {
        this.#settleInitial();
      },
    };
    return delivery.delivery === 'latest' ? new LatestEventBuffer(options) : new EveryEventBuffer(kind, options);
  }

  #gaveUp(item: Deliverable, attempts: number, error: unknown): void {
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
    await this.#buffer.queue.idle();
    await Promise.all(this.#announcing);
  }
}

const causeOf = (error: unknown): unknown => (error instanceof FinalFailure ? error.error : error);

const isEvent = (item: Deliverable): item is ChangeEvent => 'key' in item;

const subjectOf = (item: Deliverable): string =>
  `${isEvent(item) ? `key "${item.key}"` : `${item.events.length} events`} at revision ${item.revision}`;

const contentsOf = (item: Deliverable): Pick<WatchFailure, 'event' | 'batch'> =>
  isEvent(item) ? { event: item, batch: undefined } : { event: item.events[0] as ChangeEvent, batch: item };
