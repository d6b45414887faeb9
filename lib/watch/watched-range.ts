import { ConnectionClosedError, type EtcdTriggerError } from '../etcd-trigger.errors.js';
import { FirstList, type FirstListWait } from './first-list.js';
import type { ClusterObserver } from './cluster-observer.js';
import type { InstanceLog } from './instance-log.js';
import type { KeyRange } from './key-range.js';
import type { KeyRecord, KeyStamp } from './key-record.js';
import type { ListWatcher } from './list-watcher.js';
import type { RangeListener, Seat, StreamState } from './range-listener.js';
import type { RangeChange, RangeMemory } from './range-memory.js';
import { Reflector, type ReflectorSink } from './reflector.js';
import { SoloFollower } from './solo-follower.js';
import type { ResyncNotice } from './watch-event.js';

/**
 * One target and everybody who listens to it: one list, one stream, one memory. A listener without room leaves the shared stream before it is
 * given more than it can take, and comes back when it has caught up.
 */
export class WatchedRange implements ReflectorSink {
  readonly #source: ListWatcher;
  readonly #log: InstanceLog;
  readonly #observer: ClusterObserver | undefined;
  readonly #reflector: Reflector;
  readonly #list = new FirstList();
  /** Replaced, never changed: a dispatch under way goes on with the seats it began with. */
  #seats: readonly RangeSeat[] = [];
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
  get memory(): RangeMemory | undefined {
    return this.#list.memory;
  }

  get state(): StreamState {
    return this.#state;
  }

  get listenerCount(): number {
    return this.#seats.length;
  }

  /** Whether exactly these writes have been handed to everybody who listens and is not paused. */
  isLevelWith(stamps: readonly KeyStamp[]): boolean {
    const alone = this.#seats.flatMap(({ solo, listener }) =>
      solo && listener.paused !== true ? [solo.list.memory] : [],
    );
    return [this.memory, ...alone].every((memory) => memory?.matches(stamps) === true);
  }

  /** The first list, within the limits of who waits for it. */
  whenListed(wait: FirstListWait): Promise<RangeMemory> {
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
  join(listener: RangeListener, { initial }: { readonly initial: boolean }): Seat {
    const seat = this.#seat(listener, initial);
    if (this.memory) seat.listed(this.memory);
    return seat;
  }

  /** The listener gets every change from `revision` on; where the shared stream is past it, on a stream of its own until it has caught up. */
  joinFrom(revision: number, listener: RangeListener): Seat {
    if (this.memory?.hasNothingFrom(revision)) return this.join(listener, { initial: false });
    const seat = this.#seat(listener, false);
    this.#separate(seat, { revision: revision - 1 });
    return seat;
  }

  leave(seat: RangeSeat): void {
    this.#seats = this.#seats.filter((other) => other !== seat);
  }

  close(): void {
    this.#reflector.close();
    this.#list.ended(new ConnectionClosedError(`${this.range.toString()}: the module is closed`));
    for (const seat of this.#seats) {
      seat.leave();
      seat.listener.ended?.();
    }
  }

  arriving(records: readonly KeyRecord[]): void {
    for (const seat of this.#seats) if (seat.wantsInitial && !seat.solo) seat.listener.arriving?.(records);
  }

  listed(memory: RangeMemory): void {
    this.#list.succeeded(memory);
    this.#observer?.changed(this.range, memory.size, 'initial');
    for (const seat of this.#seats) if (!seat.solo) seat.listed(memory);
  }

  changed(change: RangeChange, notice: ResyncNotice | undefined): void {
    const { memory } = this;
    if (!memory) return;
    if (notice) this.#resynced(notice, change.changes.length);
    this.#observer?.changed(this.range, change.changes.length, change.origin);
    const seats = this.#seats;
    for (const seat of seats) {
      if (!seat.solo && !seat.listener.hasRoom(change.changes.length)) this.#separate(seat, { memory: memory.copy() });
    }
    const isCrowded = seats.some(({ isAlone }) => isAlone);
    const shared = isCrowded ? seats.filter(({ isAlone }) => !isAlone) : seats;
    const batch = memory.apply(change);
    for (const seat of shared) if (!seat.left) seat.listener.deliver(batch, notice);
    if (isCrowded) for (const seat of seats) seat.joinIfLevel(memory);
  }

  following(): void {
    if (this.#state === 'interrupted') this.#log.info(`${this.range.toString()}: following again`);
    this.#state = 'following';
    for (const seat of this.#seats) if (!seat.solo) seat.listener.following?.();
  }

  interrupted(reason: EtcdTriggerError): void {
    this.#list.failed(reason);
    if (this.#state !== 'interrupted' && this.memory) {
      this.#log.warn(`${this.range.toString()}: interrupted, trying again (${reason.message})`);
      this.#observer?.interrupted(this.range, reason);
    }
    this.#state = 'interrupted';
    for (const seat of this.#seats) if (!seat.solo) seat.listener.interrupted?.(reason);
  }

  hasRoom(): boolean {
    return true;
  }

  #seat(listener: RangeListener, initial: boolean): RangeSeat {
    const seat = new RangeSeat(this, listener, initial);
    this.#seats = [...this.#seats, seat];
    return seat;
  }

  #separate(seat: RangeSeat, from: { readonly memory: RangeMemory } | { readonly revision: number }): SoloFollower {
    const isLevel = (memory: RangeMemory): boolean =>
      seat.left || (this.memory?.hasSeenTheSameAs(memory) === true && seat.rejoin());
    return (seat.solo = new SoloFollower(this.#source, this.range, seat.listener, from, isLevel));
  }

  #resynced({ reason, fromRevision, toRevision }: ResyncNotice, changes: number): void {
    this.#observer?.resynced(this.range, reason);
    this.#log.warn(
      `${this.range.toString()}: listed again (${reason}); revisions ${fromRevision} to ${toRevision} are delivered as their difference of ${changes} keys`,
    );
  }
}

class RangeSeat implements Seat {
  solo: SoloFollower | undefined;
  left = false;
  readonly #range: WatchedRange;

  constructor(
    range: WatchedRange,
    readonly listener: RangeListener,
    readonly wantsInitial: boolean,
  ) {
    this.#range = range;
  }

  get revision(): number {
    const memory = this.#memory;
    return memory ? memory.next - 1 : 0;
  }

  get lag(): number {
    return Math.max(0, (this.#range.memory?.next ?? 1) - 1 - this.revision);
  }

  get clusterId(): string | undefined {
    return this.#memory?.clusterId;
  }

  get state(): StreamState {
    return (this.solo ?? this.#range).state;
  }

  get isAlone(): boolean {
    return this.solo !== undefined;
  }

  roomAgain(): void {
    this.solo?.roomAgain();
  }

  whenListed(wait: FirstListWait): Promise<unknown> {
    return this.solo ? this.solo.list.wait(wait) : this.#range.whenListed(wait);
  }

  listed(memory: RangeMemory): void {
    if (this.left) return;
    if (this.wantsInitial) this.listener.deliver(memory.current(), undefined);
    this.listener.listed?.();
  }

  leave(): void {
    if (this.left) return;
    this.left = true;
    this.solo?.close();
    this.#range.leave(this);
  }

  /** Called when the shared stream has moved on: this may be the very point where the listener stands. */
  joinIfLevel(shared: RangeMemory): void {
    const { solo } = this;
    if (solo?.list.memory?.hasSeenTheSameAs(shared)) {
      this.rejoin();
      solo.close();
    }
  }

  rejoin(): true {
    this.solo = undefined;
    return true;
  }

  get #memory(): RangeMemory | undefined {
    return this.solo ? this.solo.list.memory : this.#range.memory;
  }
}
