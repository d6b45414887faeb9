import { counted } from '../counted.js';
import type { Observable } from 'rxjs';
import { KeyRange, type WatchTarget } from '../backend/key-range.js';
import type { FenceRegistry } from '../backend/fence.js';
import type { KeyValueStore } from '../backend/key-value-store.js';
import type { ListWatcher } from '../backend/list-watcher.js';
import { ConnectionClosedError, InvalidOptionsError } from '../etcd-trigger.errors.js';
import type { InstanceLog } from '../etcd-trigger.log.js';
import { within } from '../timing/time-limit.js';
import { checkFunction, checkKnown } from '../option-checks.js';
import { type DeliveryOptions, resolveDelivery } from './delivery/delivery-options.js';
import { QueuedSubscription } from './delivery/queued-subscription.js';
import {
  OBSERVE_OPTIONS,
  type ObserveOptions,
  WATCH_OPTIONS,
  type WatchOptions,
  type WatchSubscription,
} from './delivery/watch-options.js';
import { checkStart, ListenerRegistrar } from './listener-registrar.js';
import { observeRange } from './observe-range.js';
import { type RawDeleteOptions, RawKeys, type RawPutOptions } from './raw-keys.js';
import type { ClusterObserver } from './sharing/cluster-observer.js';
import type { DeliveryFailures } from './sharing/delivery-failures.js';
import type { InitialListWait } from './sharing/initial-list.js';
import type { SharedRanges } from './sharing/shared-ranges.js';
import type { DeliveryContext, KeyValue, WatchBatch, WatchEvent, WatchFailure, WatchHandler } from './watch-event.js';
import { ListenerGuard } from './delivery/listener-guard.js';
import { onAbort } from '../timing/on-abort.js';

export interface WatcherServiceOptions {
  /** Time limit for the initial list of a watch, in milliseconds. */
  readonly requestTimeoutMs: number;
  /** Defaults of all handlers. */
  readonly delivery: DeliveryOptions;
  readonly observer?: ClusterObserver | undefined;
  readonly fences: FenceRegistry;
}

export interface AttachOptions {
  /** Name of the handler in log messages. */
  readonly name?: string;
  /** Called after the option `onError`, with the same failure. */
  readonly onFailure?: (failure: WatchFailure) => unknown;
  /** Overrides the limits of the wait for the initial list. */
  readonly wait?: Pick<InitialListWait, 'timeoutMs' | 'isFinal'>;
}

export interface Attachment {
  readonly subscription: WatchSubscription;
  /** Rejects as `watch` does. */
  readonly listed: Promise<void>;
}

/** Time that calls have to end after their signals have aborted. */
const ABORT_GRACE_MS = 500;

/**
 * Watches, reads and writes keys as bytes. Every change after the initial list is delivered to every listener exactly
 * once, across lost connections. If etcd no longer holds some changes, their net difference is delivered and reported.
 */
export class WatcherService {
  readonly #registrar: ListenerRegistrar;
  readonly #rawKeys: RawKeys;
  readonly #log: InstanceLog;
  /** @internal */
  readonly guard: ListenerGuard;
  readonly #failures: DeliveryFailures;
  readonly #options: WatcherServiceOptions;
  readonly #subscriptions = new Set<QueuedSubscription>();

  /** @internal */
  constructor(
    source: ListWatcher,
    ranges: SharedRanges,
    keyValue: KeyValueStore,
    log: InstanceLog,
    options: WatcherServiceOptions,
  ) {
    this.#log = log;
    this.guard = new ListenerGuard(log, options.observer);
    this.#failures = ranges.failures;
    this.#options = options;
    this.#registrar = new ListenerRegistrar(source, ranges, options.requestTimeoutMs);
    this.#rawKeys = new RawKeys(keyValue, options.fences);
  }

  /**
   * Calls the handler for every change of the target. By default, the calls of one key start in revision order and
   * never overlap, and the calls of different keys start in any order, up to 16 at once (see `DeliveryOptions.order`).
   * Resolves when the initial list has been read, without waiting for the handler. A call that throws or rejects is
   * logged and counted, and the next event follows.
   *
   * @throws InvalidOptionsError for an invalid target or option, and for a `fromRevision` that does not exist yet
   * @throws PermissionDeniedError, AuthenticationError if etcd refuses the list
   * @throws WatchError if `fromRevision` is compacted (with the first available revision), or the signal aborts
   * @throws ConnectionTimeoutError if there is no list within `requestTimeoutMs`; the watch has then ended
   */
  async watch(
    target: WatchTarget,
    handler: (event: WatchEvent, context: DeliveryContext) => unknown,
    options: WatchOptions = {},
  ): Promise<WatchSubscription> {
    checkKnown(options, WATCH_OPTIONS, { owner: ' of watch()' });
    return this.#subscribe(target, { event: handler }, options);
  }

  /** Like `watch`, with all changes of one revision in one call, one call at a time, in revision order. */
  async watchBatch(
    target: WatchTarget,
    handler: (batch: WatchBatch, context: DeliveryContext) => unknown,
    options: WatchOptions = {},
  ): Promise<WatchSubscription> {
    checkKnown(options, WATCH_OPTIONS, { owner: ' of watchBatch()' });
    return this.#subscribe(target, { batch: handler }, options);
  }

  /**
   * Returns a cold observable of the same events. Each subscriber is a listener, called synchronously, in revision
   * order and without a queue. The observable errors where `watch` rejects, and completes when the module closes.
   */
  observe(target: WatchTarget, options: ObserveOptions = {}): Observable<WatchEvent> {
    checkKnown(options, OBSERVE_OPTIONS, { owner: ' of observe()' });
    return observeRange(this.#registrar, target, this.guard, options);
  }

  /**
   * Reads one key from etcd (linearizable).
   * @throws KeyNotFoundError
   */
  async get(key: string | Buffer): Promise<KeyValue> {
    return this.#rawKeys.get(key);
  }

  /**
   * Writes one key.
   * @throws FenceLostError if this instance no longer owns what `fence` stands for; nothing was written
   * @throws UnknownOutcomeError if the answer was lost; the write may have been applied, and was not retried
   * @throws WriteError if the write exceeds etcd's limits
   */
  async put(key: string | Buffer, value: string | Buffer, options: RawPutOptions = {}): Promise<{ revision: number }> {
    return this.#rawKeys.put(key, value, options);
  }

  /**
   * Deletes one key. `deleted` is 0 if the key did not exist.
   * @throws FenceLostError as `put`
   * @throws UnknownOutcomeError if the answer was lost; the delete may have been applied, and was not retried
   */
  async delete(key: string | Buffer, options: RawDeleteOptions = {}): Promise<{ revision: number; deleted: number }> {
    return this.#rawKeys.delete(key, options);
  }

  /**
   * One line for each handler with pending events, without paused ones.
   * @internal
   */
  get busy(): string[] {
    return [...this.#subscriptions]
      .filter(({ pending, paused }) => pending > 0 && !paused)
      .map(({ name, pending }) => `${name}: ${counted(pending, 'event')}`);
  }

  /** @internal */
  get subscriptions(): readonly QueuedSubscription[] {
    return [...this.#subscriptions];
  }

  /**
   * Ends all watches. No further calls start; running ones may continue to read and write. Resolves as soon as all
   * calls have ended. After `withinMs` their signals abort, and they have half a second to end.
   * @returns the number of watches whose calls have not ended
   */
  async drain(withinMs: number): Promise<number> {
    this.#registrar.close();
    const reason = new ConnectionClosedError('the module is closed');
    const closed = [...this.#subscriptions].map((subscription) => {
      subscription.end(reason);
      return subscription.closed;
    });
    const ended = Promise.all(closed);
    if (await within(ended, withinMs)) return 0;
    for (const subscription of this.#subscriptions) subscription.abort(reason);
    await within(ended, ABORT_GRACE_MS);
    return this.#subscriptions.size;
  }

  /** Further calls reject with `ConnectionClosedError`. */
  close(): void {
    this.#registrar.close();
    this.#rawKeys.close();
  }

  /**
   * Starts a watch of either kind, for decorated handlers. The subscription exists immediately, and keeps retrying even
   * if `listed` rejects. A caller that needs the initial list closes the subscription then.
   * @internal
   */
  attach(target: WatchTarget, handler: WatchHandler, options: WatchOptions, attach: AttachOptions = {}): Attachment {
    const range = KeyRange.of(target);
    checkHandler(handler);
    checkStart(options);
    const delivery = resolveDelivery(options, this.#options.delivery, 'batch' in handler ? 'batch' : 'event');
    if (delivery.onExhausted === 'park')
      throw new InvalidOptionsError(`onExhausted: 'park' needs a handler group: use "skip" or "halt" in watch()`);
    this.#registrar.checkOpen(`watch ${range.toString()}`);
    const { signal } = options;
    const stopListening = onAbort(signal, () => {
      subscription.end(undefined);
    });
    const name = attach.name ?? `handler of ${range.toString()}`;
    const { observer } = this.#options;
    const observeFailure =
      observer &&
      ((failure: WatchFailure) => {
        observer.gaveUp(failure, range);
      });
    const subscription = new QueuedSubscription(observer?.observed(handler, { name, range }) ?? handler, {
      target: range.target,
      name,
      log: this.#log,
      guard: this.guard,
      failures: this.#failures,
      delivery,
      onResync: options.onResync,
      onError: [options.onError, attach.onFailure, observeFailure].filter((listener) => listener !== undefined),
      onEnd: () => {
        stopListening();
      },
    });
    // Until the last call has ended, because shutdown waits for it.
    void subscription.closed.then(() => this.#subscriptions.delete(subscription));
    const { registration, unregister, listed } = this.#registrar.register(range, options, subscription, attach.wait);
    subscription.registered(registration, unregister);
    this.#subscriptions.add(subscription);
    return { subscription, listed };
  }

  /**
   * Wraps a handler that somebody else calls, so that its calls are observed. `gaveUp` is to be called when its last
   * attempt has failed.
   * @internal
   */
  instrument(
    handler: WatchHandler,
    about: { readonly name: string; readonly range: KeyRange },
  ): { readonly handler: WatchHandler; readonly gaveUp: (failure: WatchFailure) => void } {
    const { observer } = this.#options;
    checkHandler(handler);
    return {
      handler: observer?.observed(handler, about) ?? handler,
      gaveUp: (failure) => observer?.gaveUp(failure, about.range),
    };
  }

  /**
   * Reports that the delivery to a handler has failed unexpectedly.
   * @internal
   */
  reportUnexpected(name: string, error: unknown): void {
    this.#failures.report(name, error);
  }

  async #subscribe(target: WatchTarget, handler: WatchHandler, options: WatchOptions): Promise<WatchSubscription> {
    const { subscription, listed } = this.attach(target, handler, options);
    try {
      await listed;
      return subscription;
    } catch (error) {
      await subscription.close();
      throw error;
    }
  }
}

function checkHandler({ event, batch }: { readonly event?: unknown; readonly batch?: unknown }): void {
  checkFunction('the handler of a watch', event ?? batch);
}
