import { Observable } from 'rxjs';
import { ConnectionClosedError, InvalidOptionsError } from '../etcd-trigger.errors.js';
import { pause } from '../timing/backoff.js';
import type { InstanceLog } from '../etcd-trigger.log.js';
import { KeyRange, type WatchTarget } from '../backend/key-range.js';
import type { KeyValueStore } from '../backend/key-value-store.js';
import type { ListWatcher } from '../backend/list-watcher.js';
import type { ClusterObserver } from './sharing/cluster-observer.js';
import type { DeliveryContext, KeyValue, WatchBatch, WatchEvent, WatchFailure, WatchHandler } from './watch-event.js';
import { type DeliveryOptions, resolveDelivery } from './delivery/delivery-options.js';
import { announceResync } from './delivery/listener-failure.js';
import type { InitialListWait } from './sharing/initial-list.js';
import { QueuedSubscription } from './delivery/queued-subscription.js';
import { RawKeys } from './raw-keys.js';
import { checkStart, ListenerRegistrar } from './listener-registrar.js';
import type { ObserveOptions, WatchOptions, WatchSubscription } from './delivery/watch-options.js';
import type { SharedRanges } from './sharing/shared-ranges.js';

export interface WatcherServiceOptions {
  /** Limit for the first list of a watch, in milliseconds. */
  readonly requestTimeoutMs: number;
  /** What counts for every handler that does not say otherwise. */
  readonly delivery: DeliveryOptions;
  readonly observer?: ClusterObserver | undefined;
}

export interface AttachOptions {
  /** Names the handler in log lines. */
  readonly name?: string;
  /** Called with what was given up, after the option `onError`. */
  readonly failed?: (failure: WatchFailure) => unknown;
  /** How long to wait for the first list, and which failures end the waiting. */
  readonly wait?: Pick<InitialListWait, 'timeoutMs' | 'isFinal'>;
}

export interface Attachment {
  readonly subscription: WatchSubscription;
  /** Rejects as `watch` does. */
  readonly listed: Promise<void>;
}

/** How long calls have to end after their signals have aborted. */
const ABORT_GRACE_MS = 500;

/**
 * The raw side: bytes in, callbacks out. Every change after the first list is handed to every listener exactly once, in revision order, across lost
 * connections; what etcd no longer holds arrives as a difference that says so.
 */
export class WatcherService {
  readonly #registrar: ListenerRegistrar;
  readonly #rawKeys: RawKeys;
  readonly #log: InstanceLog;
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
    this.#options = options;
    this.#registrar = new ListenerRegistrar(source, ranges, options.requestTimeoutMs);
    this.#rawKeys = new RawKeys(keyValue);
  }

  /**
   * Calls the handler for every change of the target: one call at a time for a key, up to 16 keys at once. Resolves when the list is read; it does
   * not wait for the handler. A call that throws or rejects is logged and counted, and the next event proceeds.
   *
   * @throws InvalidOptionsError for a target or option that cannot work, and for a `fromRevision` that does not exist yet
   * @throws PermissionDeniedError, AuthenticationError when etcd refuses
   * @throws WatchError when `fromRevision` is compacted (with the first revision available) or the signal aborts
   * @throws ConnectionTimeoutError when there is no list within `requestTimeoutMs`; nothing is left running
   */
  async watch(
    target: WatchTarget,
    handler: (event: WatchEvent, context: DeliveryContext) => unknown,
    options: WatchOptions = {},
  ): Promise<WatchSubscription> {
    return this.#subscribe(target, { event: handler }, options);
  }

  /** Like `watch`, with all changes of one revision in one call, and one call at a time. */
  async watchBatch(
    target: WatchTarget,
    handler: (batch: WatchBatch, context: DeliveryContext) => unknown,
    options: WatchOptions = {},
  ): Promise<WatchSubscription> {
    return this.#subscribe(target, { batch: handler }, options);
  }

  /**
   * The same as a cold observable: each subscriber is a listener, called synchronously and without a queue. It errors where `watch` rejects,
   * and completes when the module closes.
   */
  observe(target: WatchTarget, options: ObserveOptions = {}): Observable<WatchEvent> {
    return new Observable((subscriber) => {
      const range = KeyRange.of(target);
      const { events } = resolveDelivery(options, {}, 'event');
      this.#registrar.checkOpen(`watch ${range.toString()}`);
      const complete = (): void => {
        subscriber.complete();
      };
      const { unregister, listed } = this.#registrar.register(range, options, {
        canAccept: () => true,
        deliver: (batch, notice) => {
          if (notice) {
            void announceResync(notice, {
              name: `observer of ${range.toString()}`,
              log: this.#log,
              onResync: options.onResync,
            });
          }
          for (const event of batch.events) {
            if (!subscriber.closed && (events === 'both' || event.type === events)) subscriber.next(event);
          }
        },
        ended: complete,
      });
      listed.catch((error: unknown) => {
        if (options.signal?.aborted) complete();
        else subscriber.error(error);
      });
      options.signal?.addEventListener('abort', complete);
      return () => {
        options.signal?.removeEventListener('abort', complete);
        unregister();
      };
    });
  }

  /**
   * Reads one key from etcd (linearizable).
   * @throws KeyNotFoundError
   */
  async get(key: string | Buffer): Promise<KeyValue> {
    return this.#rawKeys.get(key);
  }

  /**
   * Writes one key. `lease`: the decimal id of a lease it shall hang on.
   * @throws UnknownOutcomeError when the answer was lost: it may or may not have been applied, and was not sent again
   * @throws WriteError when it is larger than etcd takes
   */
  async put(
    key: string | Buffer,
    value: string | Buffer,
    options: { readonly lease?: string } = {},
  ): Promise<{ revision: number }> {
    return this.#rawKeys.put(key, value, options);
  }

  /**
   * Deletes one key; `deleted` is 0 when it was absent.
   * @throws UnknownOutcomeError when the answer was lost
   */
  async delete(key: string | Buffer): Promise<{ revision: number; deleted: number }> {
    return this.#rawKeys.delete(key);
  }

  /**
   * Handlers that have something to do, and how much.
   * @internal
   */
  get busy(): string[] {
    return [...this.#subscriptions]
      .filter(({ pending, paused }) => pending > 0 && !paused)
      .map(({ name, pending }) => `${name}: ${pending === 1 ? '1 event' : `${pending} events`}`);
  }

  /** @internal */
  get subscriptions(): readonly QueuedSubscription[] {
    return [...this.#subscriptions];
  }

  /**
   * Ends all watches: no further call starts; those that run may go on reading and writing. Resolves when all have ended - at once when none runs. After so
   * many milliseconds their signals abort, and they have half a second to follow.
   * @returns how many watches still have a call that runs
   */
  async drain(withinMs: number): Promise<number> {
    this.#registrar.close();
    const reason = new ConnectionClosedError('the module is closed');
    const closed = [...this.#subscriptions].map((subscription) => {
      subscription.end(reason);
      return subscription.closed;
    });
    const ended = Promise.all(closed);
    if (await settlesWithin(ended, withinMs)) return 0;
    for (const subscription of this.#subscriptions) subscription.abort(reason);
    await settlesWithin(ended, ABORT_GRACE_MS);
    return this.#subscriptions.size;
  }

  /** Nothing can be asked any more. */
  close(): void {
    this.#registrar.close();
    this.#rawKeys.close();
  }

  /**
   * Both kinds of watch, for handlers that are found rather than given: the subscription exists at once and goes on trying whatever `listed` says;
   * who wants it only with its first list closes it when `listed` rejects.
   * @internal
   */
  attach(target: WatchTarget, handler: WatchHandler, options: WatchOptions, terms: AttachOptions = {}): Attachment {
    const range = KeyRange.of(target);
    checkHandler(handler);
    checkStart(options);
    const delivery = resolveDelivery(options, this.#options.delivery, 'batch' in handler ? 'batch' : 'event');
    this.#registrar.checkOpen(`watch ${range.toString()}`);
    const { signal } = options;
    const close = (): void => {
      subscription.end(undefined);
    };
    const name = terms.name ?? `handler of ${range.toString()}`;
    const { observer } = this.#options;
    const gaveUp =
      observer &&
      ((failure: WatchFailure) => {
        observer.gaveUp(failure, range);
      });
    const subscription = new QueuedSubscription(observer?.observed(handler, { name, range }) ?? handler, {
      target: range.target,
      name,
      log: this.#log,
      delivery,
      onResync: options.onResync,
      onError: [options.onError, terms.failed, gaveUp].filter((listener) => listener !== undefined),
      ended: () => {
        signal?.removeEventListener('abort', close);
      },
    });
    // One that was closed is known until its last call has ended: shutdown waits for that too.
    void subscription.closed.then(() => this.#subscriptions.delete(subscription));
    const { registration, unregister, listed } = this.#registrar.register(range, options, subscription, terms.wait);
    subscription.registered(registration, unregister);
    this.#subscriptions.add(subscription);
    signal?.addEventListener('abort', close);
    return { subscription, listed };
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

async function settlesWithin(promise: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const limit = new AbortController();
  const isSettled = await Promise.race([promise.then(() => true), pause(timeoutMs, limit.signal).then(() => false)]);
  limit.abort();
  return isSettled;
}

function checkHandler({ event, batch }: { readonly event?: unknown; readonly batch?: unknown }): void {
  if (typeof (event ?? batch) !== 'function') throw new InvalidOptionsError('the handler of a watch is not a function');
}
