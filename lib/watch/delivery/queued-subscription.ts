import type { EtcdTriggerError } from '../../etcd-trigger.errors.js';
import { exponentialBackoff } from '../../timing/backoff.js';
import { type Clock, SYSTEM_CLOCK } from '../../timing/clock.js';
import { Deferred } from '../../timing/deferred.js';
import { KeyRange, type WatchTarget } from '../../backend/key-range.js';
import type { InstanceLog } from '../../etcd-trigger.log.js';
import type { ChangeBatch } from '../stream/change-event.js';
import { DeliveryFailures } from '../sharing/delivery-failures.js';
import type { RangeListener, ListenerRegistration } from '../sharing/range-listener.js';
import { type DeliveryContext, type ResyncNotice, type WatchFailure, type WatchHandler } from '../watch-event.js';
import { contentsOf, type Deliverable, subjectOf } from './deliverable.js';
import type { ResolvedDelivery } from './delivery-options.js';
import type { EventBuffer, EventBufferOptions } from './event-buffer.js';
import { EveryEventBuffer } from './every-event-buffer.js';
import { HandlerRunner } from './handler-runner.js';
import { LatestEventBuffer } from './latest-event-buffer.js';
import { describeFailure, FinalFailure } from './listener-failure.js';
import { ListenerGuard } from './listener-guard.js';
import type { WatchSubscription } from './watch-options.js';
import { isA } from '../../foreign/foreign-error.js';

export interface QueuedSubscriptionOptions {
  readonly target: WatchTarget;
  /** Names the handler in log lines, as `OrderEvents.onOrder` or `handler of prefix "/app/"`. */
  readonly name: string;
  readonly log: InstanceLog;
  readonly delivery: ResolvedDelivery;
  /** @default a guard that only logs */
  readonly guard?: ListenerGuard;
  readonly onResync: ((notice: ResyncNotice) => unknown) | undefined;
  /** Invoked with each event or batch whose last attempt has failed. */
  readonly onError: readonly ((failure: WatchFailure) => unknown)[];
  /** @default logs without metrics */
  readonly failures?: DeliveryFailures;
  /** Invoked once, when the subscription ends. */
  readonly onEnd: () => void;
  /** @default SYSTEM_CLOCK */
  readonly clock?: Clock;
  /**
   * Milliseconds to wait before the given retry, counted from 1.
   * @default exponential with jitter, within the limits of `delivery.backoff`
   */
  readonly backoff?: (retry: number) => number;
}

/** A handler behind its queue. A handler that is slow, fails or hangs delays only its own events. */
export class QueuedSubscription implements RangeListener, WatchSubscription {
  readonly target: WatchTarget;
  readonly #options: QueuedSubscriptionOptions;
  readonly #runner: HandlerRunner<Deliverable>;
  readonly #buffer: EventBuffer;
  #registration: ListenerRegistration | undefined;
  #unregister: () => void = () => undefined;
  readonly #failures: DeliveryFailures;
  readonly #initialDelivered = new Deferred();
  readonly #closed = new Deferred<EtcdTriggerError | undefined>();
  /** Calls of `onResync` and `onError` that have not ended. */
  readonly #announcements = new Set<Promise<void>>();
  #isClosed = false;
  #halted: WatchFailure | undefined;

  constructor(handler: WatchHandler, options: QueuedSubscriptionOptions) {
    this.target = options.target;
    this.#options = options;
    this.#failures = options.failures ?? new DeliveryFailures(options.log, undefined);
    this.#runner = this.#runnerOf(handler);
    this.#buffer = this.#bufferOf('batch' in handler ? 'batch' : 'event');
  }

  get initialDelivered(): Promise<void> {
    return this.#initialDelivered.promise;
  }

  get closed(): Promise<EtcdTriggerError | undefined> {
    return this.#closed.promise;
  }

  /** The target for messages: `prefix "/app/"`. */
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

  /** Number of revisions that this listener is behind the newest known revision of its target. */
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

  registered(registration: ListenerRegistration, unregister: () => void): void {
    this.#registration = registration;
    this.#unregister = unregister;
  }

  /** Calls start in a later turn of the event loop, so that the caller of `watch` has the subscription before them. */
  listed(): void {
    if (!this.#buffer.hasInitial) this.#initialDelivered.resolve();
    this.#clock.soon(() => {
      this.#buffer.queue.start();
    });
  }

  canAccept(count: number): boolean {
    return this.#buffer.canAccept(count);
  }

  deliver(batch: ChangeBatch, notice: ResyncNotice | undefined): void {
    const { name, onResync } = this.#options;
    if (notice) this.#announce('onResync', `onResync of ${name}`, () => onResync?.(notice));
    this.#buffer.push(batch);
  }

  close(): Promise<void> {
    this.end(undefined);
    return Promise.resolve();
  }

  /** Like `close`, with the reason that `closed` resolves with. */
  end(reason: EtcdTriggerError | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unregister();
    this.#buffer.close();
    this.#initialDelivered.resolve();
    void this.#idle().then(() => {
      this.#closed.resolve(reason);
    });
    this.#options.onEnd();
  }

  /** Aborts the signals of the running calls. */
  abort(reason: unknown): void {
    this.#runner.abort(reason);
  }

  get #guard(): ListenerGuard {
    return this.#options.guard ?? new ListenerGuard(this.#options.log);
  }

  get #clock(): Clock {
    return this.#options.clock ?? SYSTEM_CLOCK;
  }

  #runnerOf(handler: WatchHandler): HandlerRunner<Deliverable> {
    const call = 'batch' in handler ? handler.batch : handler.event;
    const { delivery, name } = this.#options;
    const failures = this.#failures;
    return new HandlerRunner<Deliverable>({
      handler: call as (item: Deliverable, context: DeliveryContext) => unknown,
      delivery,
      clock: this.#clock,
      describe: (item) => `${name} did not finish with ${subjectOf(item)}`,
      onFailure: (item, attempts, error) => {
        try {
          this.#failed(item, attempts, error);
        } catch (unexpected) {
          failures.report(name, unexpected);
        }
      },
    });
  }

  #bufferOf(kind: 'event' | 'batch'): EventBuffer {
    const { backoff, delivery, name } = this.#options;
    const failures = this.#failures;
    const options: EventBufferOptions = {
      runner: this.#runner,
      delivery,
      backoff: backoff ?? ((retry) => exponentialBackoff(retry, delivery.backoff)),
      clock: this.#clock,
      onDrain: () => this.#registration?.onDrain(),
      onInitialDone: () => {
        this.#initialDelivered.resolve();
      },
      onFailure: (error) => {
        failures.failed(this, name, error);
      },
      onRecovered: () => {
        failures.recovered(this, name);
      },
    };
    return delivery.delivery === 'latest' ? new LatestEventBuffer(options) : new EveryEventBuffer(kind, options);
  }

  #failed(item: Deliverable, attempts: number, error: unknown): void {
    const { delivery, log, name, onError } = this.#options;
    const failure: WatchFailure = { ...contentsOf(item), handler: name, attempts, error: causeOf(error) };
    const isHalted = delivery.onExhausted === 'halt';
    if (isHalted) {
      this.#halted ??= failure;
      this.pause();
    }
    const repeated = attempts > 1 ? `, ${attempts} times` : '';
    const consequence = isHalted ? '; it is halted until resume()' : '';
    log.error(`${name} failed for ${subjectOf(item)}${repeated}: ${describeFailure(error)}${consequence}`);
    for (const listener of onError) this.#announce('onError', `onError of ${name}`, () => listener(failure));
  }

  #announce(kind: 'onResync' | 'onError', name: string, call: () => unknown): void {
    const announcement = this.#guard.settle(kind, name, call);
    this.#announcements.add(announcement);
    void announcement.then(() => this.#announcements.delete(announcement));
  }

  /** The announcements come last, because the last calls may fail and add some. */
  async #idle(): Promise<void> {
    await this.#buffer.queue.idle();
    await Promise.all(this.#announcements);
  }
}

const causeOf = (error: unknown): unknown => (isA(error, FinalFailure) ? error.error : error);
