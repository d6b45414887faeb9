import type { KeyRange } from '../../backend/key-range.js';
import { CompactedError, FutureRevisionError, isRefusal } from '../../backend/list-watcher.js';
import type { KeyRecord } from '../../backend/key-record.js';
import { MAX_TIMER_MS } from '../../option-checks.js';
import type { ListenerRegistration, RangeListener } from '../../watch/sharing/range-listener.js';
import type { SharedRange } from '../../watch/sharing/shared-range.js';
import type { SharedRanges } from '../../watch/sharing/shared-ranges.js';
import type { ChangeBatch } from '../../watch/stream/change-event.js';
import type { ResyncNotice } from '../../watch/watch-event.js';
import { PlacedEvent } from './placed-event.js';

/** Receives the events of one partition. */
export interface FollowingPartition {
  readonly partition: number;
  canAccept(count: number): boolean;
  receive(batch: ChangeBatch, events: readonly PlacedEvent[], notice: ResyncNotice | undefined): void;
  /**
   * The partition cannot accept events after this revision that the others of the follower can: it continues with a
   * follower of its own.
   */
  fallBehind(revision: number): void;
}

/** The records of the target at one revision. */
export interface FollowedList {
  readonly revision: number;
  readonly clusterId: string;
  readonly records: readonly KeyRecord[];
}

/** Follows the target of a group from one revision on, for the partitions that begin there together. */
export class GroupFollower implements RangeListener {
  readonly #ranges: SharedRanges;
  readonly #shared: SharedRange;
  readonly #range: KeyRange;
  readonly #partitionOf: (rawKey: string) => number | undefined;
  readonly #registration: ListenerRegistration;
  readonly #revision: number;
  readonly #partitions = new Map<number, FollowingPartition>();
  #list: ChangeBatch | undefined;
  /** Batches that were received before `start`. */
  #early: [ChangeBatch, ResyncNotice | undefined][] | undefined = [];
  /** Everything up to this revision was dispatched. */
  #dispatched = 0;
  #isClosed = false;

  /** @param revision the list at this revision comes first, then every change after it */
  constructor(
    ranges: SharedRanges,
    range: KeyRange,
    revision: number,
    partitionOf: (rawKey: string) => number | undefined,
  ) {
    this.#ranges = ranges;
    this.#range = range;
    this.#revision = revision;
    this.#partitionOf = partitionOf;
    this.#shared = ranges.acquire(range, { paused: false });
    this.#registration = this.#shared.registerFrom(revision + 1, this, { initial: true });
  }

  /** True if no partition uses the follower. */
  get isUnused(): boolean {
    return this.#partitions.size === 0;
  }

  get state(): ListenerRegistration['state'] {
    return this.#registration.state;
  }

  get lag(): number {
    return this.#registration.lag;
  }

  /**
   * Everything up to this revision was received by the partitions. Must not be read while a listener of the target is
   * called: the shared stream may be past an event that this listener has not received yet.
   */
  get revision(): number {
    return this.#early ? this.#dispatched : Math.max(this.#dispatched, this.#registration.revision);
  }

  /**
   * Resolves to the list.
   * @throws CompactedError, FutureRevisionError if etcd does not hold the revision
   * @throws EtcdTriggerError if etcd refuses the list
   * @throws the reason of an abort
   */
  async whenListed(signal: AbortSignal): Promise<FollowedList> {
    await this.#registration.whenListed({
      what: `list ${this.#range.toString()}`,
      timeoutMs: MAX_TIMER_MS,
      signal,
      isFinal: (error) => error instanceof CompactedError || error instanceof FutureRevisionError || isRefusal(error),
    });
    const list = this.#list;
    const records = list?.records ?? [];
    return { revision: this.#revision, clusterId: this.#registration.clusterId ?? '', records };
  }

  /** Delivers to these partitions from now on, beginning with what was received after the list. */
  start(partitions: readonly FollowingPartition[]): void {
    for (const each of partitions) this.#partitions.set(each.partition, each);
    const early = this.#early ?? [];
    this.#early = undefined;
    this.#list = undefined;
    for (const [batch, notice] of early) this.#dispatch(batch, notice);
  }

  /** The partition receives nothing any more. */
  leave({ partition }: Pick<FollowingPartition, 'partition'>): void {
    this.#partitions.delete(partition);
    if (this.isUnused) this.close();
  }

  /** A partition can accept events again. */
  onDrain(): void {
    this.#registration.onDrain();
  }

  /** Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#registration.unregister();
    this.#ranges.release(this.#shared);
  }

  canAccept(count: number): boolean {
    if (this.#early || this.#partitions.size !== 1) return true;
    return [...this.#partitions.values()].every((partition) => partition.canAccept(count));
  }

  deliver(batch: ChangeBatch, notice: ResyncNotice | undefined): void {
    if (batch.origin === 'initial') this.#list = batch;
    else if (this.#early) this.#early.push([batch, notice]);
    else this.#dispatch(batch, notice);
  }

  #dispatch(batch: ChangeBatch, notice: ResyncNotice | undefined): void {
    const { events, revision } = batch;
    const placed = new Map<number, PlacedEvent[]>();
    let index = 0;
    for (const event of events) {
      const partition = this.#partitionOf(event.rawKey);
      if (partition !== undefined && this.#partitions.has(partition)) {
        const each = new PlacedEvent(event, index, events.length);
        const own = placed.get(partition);
        if (own) own.push(each);
        else placed.set(partition, [each]);
      }
      index += 1;
    }
    for (const partition of notice ? this.#partitions.keys() : placed.keys()) {
      const own = placed.get(partition) ?? [];
      const target = this.#partitions.get(partition);
      if (!target) continue;
      if (this.#partitions.size > 1 && !target.canAccept(own.length)) {
        this.#partitions.delete(partition);
        target.fallBehind(revision - 1);
      } else target.receive(batch, own, notice);
    }
    this.#dispatched = Math.max(this.#dispatched, revision);
    if (this.isUnused) this.close();
  }
}
