import { ConnectionClosedError, type EtcdTriggerError } from '../../etcd-trigger.errors.js';
import { InitialList, type InitialListWait } from './initial-list.js';
import type { ClusterObserver } from './cluster-observer.js';
import type { InstanceLog } from '../../etcd-trigger.log.js';
import type { KeyRange } from '../../backend/key-range.js';
import type { KeyRecord, KeyStamp } from '../../backend/key-record.js';
import type { ListWatcher } from '../../backend/list-watcher.js';
import type { RangeListener, ListenerRegistration, StreamState } from './range-listener.js';
import type { RangeUpdate, RangeCache } from '../stream/range-cache.js';
import { Reflector, type ReflectorSink } from '../stream/reflector.js';
import { CatchUpFollower } from './catch-up-follower.js';
import type { ResyncNotice } from '../watch-event.js';

/**
 * One target and everybody who listens to it: one list, one stream, one memory. A listener without room leaves the shared stream before it is
 * given more than it can take, and comes back when it has caught up.
 */
export class SharedRange implements ReflectorSink {
  readonly #source: ListWatcher;
  readonly #log: InstanceLog;
  readonly #observer: ClusterObserver | undefined;
  readonly #reflector: Reflector;
  readonly #list = new InitialList();
  /** Replaced, never changed: a dispatch under way goes on with the seats it began with. */
  #registrations: readonly RangeRegistration[] = [];
  #state: StreamState = 'starting';

  constructor(
    source: ListWatcher,
    readonly range: KeyRange,
    log: InstanceLog,
    { held, observer }: { readonly held: boolean; readonly observer: ClusterObserver | undefined },
  ) {
    this.#source = source;
    this.#log = log;
    this.#observer = observer;
    this.#reflector = new Reflector(source, range, this, { held });
    this.#reflector.start();
  }

  /** What is known, once the first list is in. */
  get cache(): RangeCache | undefined {
    return this.#list.cache;
  }

  get state(): StreamState {
    return this.#state;
  }

  get listenerCount(): number {
    return this.#registrations.length;
  }

  /** Whether exactly these writes have been handed to everybody who listens and is not paused. */
  hasCaughtUpWith(stamps: readonly KeyStamp[]): boolean {
    const alone = this.#registrations.flatMap(({ follower, listener }) =>
      follower && listener.paused !== true ? [follower.list.cache] : [],
    );
    return [this.cache, ...alone].every((cache) => cache?.matches(stamps) === true);
  }

  /** The first list, within the limits of who waits for it. */
  whenListed(wait: InitialListWait): Promise<RangeCache> {
    return this.#list.wait(wait);
  }

  /** Lets a held range follow. */
  open(): void {
    this.#reflector.open();
  }

  /** Gives up trying to list until it is opened. */
  hold(): void {
    this.#reflector.hold();
  }

  /** The listener gets what is known first, if it wants that, and then what changes. */
  register(listener: RangeListener, { initial }: { readonly initial: boolean }): ListenerRegistration {
    const registration = this.#add(listener, initial);
    if (this.cache) registration.listed(this.cache);
    return registration;
  }

  /** The listener gets every change from `revision` on; where the shared stream is past it, on a stream of its own until it has caught up. */
  registerFrom(revision: number, listener: RangeListener): ListenerRegistration {
    if (this.cache?.hasNothingFrom(revision)) return this.register(listener, { initial: false });
    const registration = this.#add(listener, false);
    this.#separate(registration, { revision: revision - 1 });
    return registration;
  }

  unregister(registration: RangeRegistration): void {
    this.#registrations = this.#registrations.filter((other) => other !== registration);
  }

  close(): void {
    this.#reflector.close();
    this.#list.ended(new ConnectionClosedError(`${this.range.toString()}: the module is closed`));
    for (const registration of this.#registrations) {
      registration.unregister();
      registration.listener.ended?.();
    }
  }

  onPage(records: readonly KeyRecord[]): void {
    for (const registration of this.#registrations)
      if (registration.wantsInitial && !registration.follower) registration.listener.onPage?.(records);
  }

  listed(cache: RangeCache): void {
    this.#list.succeeded(cache);
    this.#observer?.changed(this.range, cache.size, 'initial');
    for (const registration of this.#registrations) if (!registration.follower) registration.listed(cache);
  }

  changed(change: RangeUpdate, notice: ResyncNotice | undefined): void {
    const { cache } = this;
    if (!cache) return;
    if (notice) this.#resynced(notice, change.changes.length);
    this.#observer?.changed(this.range, change.changes.length, change.origin);
    const registrations = this.#registrations;
    for (const registration of registrations) {
      if (!registration.follower && !registration.listener.canAccept(change.changes.length))
        this.#separate(registration, { cache: cache.copy() });
    }
    const isCrowded = registrations.some(({ isLagging }) => isLagging);
    const shared = isCrowded ? registrations.filter(({ isLagging }) => !isLagging) : registrations;
    const batch = cache.apply(change);
    for (const registration of shared) if (!registration.isUnregistered) registration.listener.deliver(batch, notice);
    if (isCrowded) for (const registration of registrations) registration.rejoinIfCaughtUp(cache);
  }

  following(): void {
    if (this.#state === 'interrupted') this.#log.info(`${this.range.toString()}: following again`);
    this.#state = 'following';
    for (const registration of this.#registrations) if (!registration.follower) registration.listener.following?.();
  }

  interrupted(reason: EtcdTriggerError): void {
    this.#list.failed(reason);
    if (this.#state !== 'interrupted' && this.cache) {
      this.#log.warn(`${this.range.toString()}: interrupted, trying again (${reason.message})`);
      this.#observer?.interrupted(this.range, reason);
    }
    this.#state = 'interrupted';
    for (const registration of this.#registrations)
      if (!registration.follower) registration.listener.interrupted?.(reason);
  }

  canAccept(): boolean {
    return true;
  }

  #add(listener: RangeListener, initial: boolean): RangeRegistration {
    const registration = new RangeRegistration(this, listener, initial);
    this.#registrations = [...this.#registrations, registration];
    return registration;
  }

  #separate(
    registration: RangeRegistration,
    from: { readonly cache: RangeCache } | { readonly revision: number },
  ): CatchUpFollower {
    const hasCaughtUp = (cache: RangeCache): boolean =>
      registration.isUnregistered || (this.cache?.hasSeenTheSameAs(cache) === true && registration.rejoin());
    return (registration.follower = new CatchUpFollower(
      this.#source,
      this.range,
      registration.listener,
      from,
      hasCaughtUp,
    ));
  }

  #resynced({ reason, fromRevision, toRevision }: ResyncNotice, changes: number): void {
    this.#observer?.resynced(this.range, reason);
    this.#log.warn(
      `${this.range.toString()}: listed again (${reason}); revisions ${fromRevision} to ${toRevision} are delivered as their difference of ${changes} keys`,
    );
  }
}

class RangeRegistration implements ListenerRegistration {
  follower: CatchUpFollower | undefined;
  isUnregistered = false;
  readonly #range: SharedRange;

  constructor(
    range: SharedRange,
    readonly listener: RangeListener,
    readonly wantsInitial: boolean,
  ) {
    this.#range = range;
  }

  get revision(): number {
    const cache = this.#cache;
    return cache ? cache.next - 1 : 0;
  }

  get lag(): number {
    return Math.max(0, (this.#range.cache?.next ?? 1) - 1 - this.revision);
  }

  get clusterId(): string | undefined {
    return this.#cache?.clusterId;
  }

  get state(): StreamState {
    return (this.follower ?? this.#range).state;
  }

  get isLagging(): boolean {
    return this.follower !== undefined;
  }

  onDrain(): void {
    this.follower?.onDrain();
  }

  whenListed(wait: InitialListWait): Promise<unknown> {
    return this.follower ? this.follower.list.wait(wait) : this.#range.whenListed(wait);
  }

  listed(cache: RangeCache): void {
    if (this.isUnregistered) return;
    if (this.wantsInitial) this.listener.deliver(cache.current(), undefined);
    this.listener.listed?.();
  }

  unregister(): void {
    if (this.isUnregistered) return;
    this.isUnregistered = true;
    this.follower?.close();
    this.#range.unregister(this);
  }

  /** Called when the shared stream has moved on: this may be the very point where the listener stands. */
  rejoinIfCaughtUp(shared: RangeCache): void {
    const { follower } = this;
    if (follower?.list.cache?.hasSeenTheSameAs(shared)) {
      this.rejoin();
      follower.close();
    }
  }

  rejoin(): true {
    this.follower = undefined;
    return true;
  }

  get #cache(): RangeCache | undefined {
    return this.follower ? this.follower.list.cache : this.#range.cache;
  }
}
