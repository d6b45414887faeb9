import { counted } from '../../counted.js';
import { ConnectionClosedError, type EtcdTriggerError } from '../../etcd-trigger.errors.js';
import type { KeyRange } from '../../backend/key-range.js';
import type { KeyRecord, KeyStamp } from '../../backend/key-record.js';
import type { ListWatcher } from '../../backend/list-watcher.js';
import type { InstanceLog } from '../../etcd-trigger.log.js';
import type { RangeCache, RangeUpdate } from '../stream/range-cache.js';
import { Reflector, type ReflectorSink } from '../stream/reflector.js';
import type { ResyncNotice } from '../watch-event.js';
import { CatchUpFollower } from './catch-up-follower.js';
import type { ChangeBatch } from '../stream/change-event.js';
import type { ClusterObserver } from './cluster-observer.js';
import type { DeliveryFailures } from './delivery-failures.js';
import type { InterruptionLog } from './interruption-log.js';
import { InitialList, type InitialListWait } from './initial-list.js';
import type { ListenerRegistration, RangeListener, StreamState } from './range-listener.js';
import type { NeighbourLog } from './neighbour-log.js';
import { type RangeOwner, RangeRegistration } from './range-registration.js';

/** Further resyncs without a difference, one after the other, are not logged. */
const MAX_LOGGED_EMPTY = 3;

/**
 * One target and its listeners, with one list, one stream and one cache. A listener that cannot accept an update leaves
 * the shared stream before the update, and rejoins it when it has caught up.
 */
export class SharedRange implements ReflectorSink, RangeOwner {
  readonly #source: ListWatcher;
  readonly #log: InstanceLog;
  readonly #observer: ClusterObserver | undefined;
  readonly #interruptions: InterruptionLog;
  readonly #neighbours: NeighbourLog;
  readonly #failures: DeliveryFailures;
  readonly #reflector: Reflector;
  readonly #list = new InitialList();
  /** Copied on write, so that a running dispatch continues with the registrations it began with. */
  #registrations: readonly RangeRegistration[] = [];
  #state: StreamState = 'starting';
  /** Resyncs in a row without a difference: a server that names another cluster each time causes them. */
  #emptyResyncs = 0;

  constructor(
    source: ListWatcher,
    readonly range: KeyRange,
    log: InstanceLog,
    {
      paused,
      observer,
      interruptions,
      neighbours,
      failures,
    }: {
      readonly paused: boolean;
      readonly observer: ClusterObserver | undefined;
      readonly interruptions: InterruptionLog;
      readonly neighbours: NeighbourLog;
      readonly failures: DeliveryFailures;
    },
  ) {
    this.#source = source;
    this.#log = log;
    this.#observer = observer;
    this.#interruptions = interruptions;
    this.#neighbours = neighbours;
    this.#failures = failures;
    this.#reflector = new Reflector(source, range, this, { paused });
    this.#reflector.start();
  }

  /** Undefined before the initial list has been read. */
  get cache(): RangeCache | undefined {
    return this.#list.cache;
  }

  get state(): StreamState {
    return this.#state;
  }

  get listenerCount(): number {
    return this.#registrations.length;
  }

  /** Number of listeners whose delivery has failed unexpectedly and is retried. */
  get failing(): number {
    const all: readonly object[] = [this, ...this.#registrations.map(({ listener }) => listener)];
    return all.filter((delivery) => this.#failures.isFailing(delivery)).length;
  }

  /** True if every listener that is not paused has received exactly these writes. */
  hasCaughtUpWith(stamps: readonly KeyStamp[]): boolean {
    const laggingCaches = this.#registrations.flatMap(({ follower, listener }) =>
      follower && listener.paused !== true ? [follower.list.cache] : [],
    );
    return [this.cache, ...laggingCaches].every((cache) => cache?.matches(stamps) === true);
  }

  /** Rejects as `InitialList.wait` does. */
  whenListed(wait: InitialListWait): Promise<RangeCache> {
    return this.#list.wait(wait);
  }

  /** A range that has not listed yet stops retrying until `resume()`. Others are not affected. */
  pause(): void {
    this.#reflector.pause();
  }

  /** Follows the range after the list. */
  resume(): void {
    this.#reflector.resume();
  }

  /** With `initial`, the listener receives the known records first. */
  register(listener: RangeListener, { initial }: { readonly initial: boolean }): ListenerRegistration {
    const registration = this.#add(listener, initial);
    if (this.cache) this.#deliverList(registration, this.cache);
    return registration;
  }

  /**
   * The listener receives every change from `revision` on. It lags if the shared stream is past that revision. With
   * `initial`, it receives the records before that revision first.
   */
  registerFrom(
    revision: number,
    listener: RangeListener,
    { initial = false }: { readonly initial?: boolean } = {},
  ): ListenerRegistration {
    if (this.cache?.canJoinAt(revision)) return this.register(listener, { initial });
    const registration = this.#add(listener, initial);
    this.#startCatchUp(registration, { revision: revision - 1 });
    return registration;
  }

  unregister(registration: RangeRegistration): void {
    this.#registrations = this.#registrations.filter((other) => other !== registration);
    this.#failures.forget(registration.listener);
  }

  close(): void {
    this.#reflector.close();
    this.#interruptions.closed(this.range);
    this.#list.close(new ConnectionClosedError(`${this.range.toString()}: the module is closed`));
    for (const registration of this.#registrations) {
      registration.unregister();
      this.#guard(() => registration.listener.ended?.());
    }
    this.#failures.forget(this);
  }

  failed(error: unknown): void {
    this.#failures.failed(this, this.range, error);
  }

  onPage(records: readonly KeyRecord[]): void {
    for (const registration of this.#registrations)
      if (registration.wantsInitial && !registration.follower)
        this.#guard(() => registration.listener.onPage?.(records));
  }

  listed(cache: RangeCache): void {
    this.#neighbours.listed(this.range, cache.rawKeys());
    this.#list.complete(cache);
    this.#observe((observer) => {
      observer.changed(this.range, cache.size, 'initial');
    });
    for (const registration of this.#registrations)
      if (!registration.follower && !registration.isUnregistered) this.#deliverList(registration, cache);
    this.#failures.recovered(this, this.range);
  }

  changed(update: RangeUpdate, notice: ResyncNotice | undefined): void {
    const { cache } = this;
    if (!cache) return;
    if (notice) this.#resynced(notice, update.changes.length);
    this.#observe((observer) => {
      observer.changed(this.range, update.changes.length, update.origin);
    });
    const registrations = this.#registrations;
    for (const registration of registrations) {
      if (!registration.follower && !this.#canAccept(registration, update.changes.length))
        this.#startCatchUp(registration, { cache: cache.copy() });
    }
    const hasLagging = registrations.some(({ isLagging }) => isLagging);
    const following = hasLagging ? registrations.filter(({ isLagging }) => !isLagging) : registrations;
    const batch = cache.apply(update);
    for (const registration of following)
      if (!registration.isUnregistered) this.#deliver(registration, batch, notice, cache);
    this.#failures.recovered(this, this.range);
    if (hasLagging) for (const registration of registrations) registration.rejoinIfCaughtUp(cache);
  }

  following(): void {
    if (this.#state === 'interrupted') this.#interruptions.following(this.range);
    this.#state = 'following';
    for (const registration of this.#registrations)
      if (!registration.follower) this.#guard(() => registration.listener.following?.());
  }

  interrupted(reason: EtcdTriggerError): void {
    this.#list.fail(reason);
    if (this.#state !== 'interrupted' && this.cache) {
      this.#interruptions.interrupted(this.range, reason);
      this.#observe((observer) => {
        observer.interrupted(this.range, reason);
      });
    }
    this.#state = 'interrupted';
    for (const registration of this.#registrations)
      if (!registration.follower) this.#guard(() => registration.listener.interrupted?.(reason));
  }

  canAccept(): boolean {
    return true;
  }

  #add(listener: RangeListener, initial: boolean): RangeRegistration {
    const registration = new RangeRegistration(this, listener, initial);
    this.#registrations = [...this.#registrations, registration];
    return registration;
  }

  /** A listener that throws leaves the shared stream and receives the batch again. The others are not affected. */
  #deliver(
    registration: RangeRegistration,
    batch: ChangeBatch,
    notice: ResyncNotice | undefined,
    cache: RangeCache,
  ): void {
    try {
      registration.listener.deliver(batch, notice);
    } catch (error) {
      this.#failures.failed(registration.listener, this.range, error);
      this.#startCatchUp(registration, { cache: cache.copyBefore(batch) });
    }
  }

  #deliverList(registration: RangeRegistration, cache: RangeCache): void {
    try {
      registration.listed(cache);
    } catch (error) {
      this.#failures.failed(registration.listener, this.range, error);
      this.#startCatchUp(registration, registration.wantsInitial ? 'initial' : { cache: cache.copy() });
    }
  }

  #canAccept({ listener }: RangeRegistration, count: number): boolean {
    try {
      return listener.canAccept(count);
    } catch (error) {
      this.#failures.failed(listener, this.range, error);
      return false;
    }
  }

  /** Metrics that fail do not affect the delivery. */
  #observe(call: (observer: ClusterObserver) => void): void {
    if (!this.#observer) return;
    try {
      call(this.#observer);
      this.#failures.recovered(this.#observer, 'metrics');
    } catch (error) {
      this.#failures.missed(this.#observer, 'metrics', error);
    }
  }

  /** Calls a listener that cannot miss anything by its failure. */
  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.failed(error);
    }
  }

  /** Serves the listener by a separate stream until it has caught up. */
  #startCatchUp(
    registration: RangeRegistration,
    from: { readonly cache: RangeCache } | { readonly revision: number } | 'initial',
  ): void {
    const rejoinIfCaughtUp = (cache: RangeCache): boolean => {
      if (registration.isUnregistered) return true;
      if (this.cache?.hasSeenTheSameAs(cache) !== true) return false;
      registration.follower = undefined;
      return true;
    };
    const { listener } = registration;
    if (registration.isUnregistered) return;
    registration.follower = new CatchUpFollower(
      this.#source,
      this.range,
      listener,
      from,
      typeof from === 'object' && 'revision' in from && registration.wantsInitial,
      rejoinIfCaughtUp,
      this.#failures,
    );
  }

  #resynced({ reason, fromRevision, toRevision }: ResyncNotice, changes: number): void {
    this.#observe((observer) => {
      observer.resynced(this.range, reason);
    });
    this.#emptyResyncs = changes === 0 ? this.#emptyResyncs + 1 : 0;
    if (this.#emptyResyncs > MAX_LOGGED_EMPTY) return;
    if (this.#emptyResyncs === MAX_LOGGED_EMPTY) {
      this.#log.warn(
        `${this.range.toString()}: listed again repeatedly without a difference (${reason}); not logged any more`,
      );
      return;
    }
    const difference = `revisions ${fromRevision} to ${toRevision} are delivered as a difference of ${counted(changes, 'key')}`;
    this.#log.warn(`${this.range.toString()}: listed again (${reason}); ${difference}`);
  }
}
