import {
  byRawKey,
  hasSameValue,
  isRemoval,
  type KeyChange,
  type KeyRecord,
  type KeyStamp,
} from '../../backend/key-record.js';
import type { RangeList } from '../../backend/list-watcher.js';
import type { WatchOrigin } from '../watch-event.js';
import { type ChangeBatch, ChangeEvent, InitialBatch } from './change-event.js';

/** Changes of a range: one revision of a stream, or the difference that a list has shown. */
export interface RangeUpdate {
  readonly revision: number;
  readonly changes: readonly KeyChange[];
  readonly origin: Exclude<WatchOrigin, 'initial'>;
  /** Set if the store has another history from here on: the id of its cluster. */
  readonly clusterId?: string;
}

/**
 * The known records of a range, and the cursor: the first revision that is not known yet. The cache provides
 * `previous`, the difference after lost history, the comparison after a reconnect, and the initial events of late
 * listeners.
 */
export class RangeCache {
  readonly #records: Map<string, KeyRecord>;
  #next: number;
  /** The revision of the last change. Bookmarks move only the cursor. */
  #lastChange: number;
  #clusterId: string;
  /** State before the last applied update. */
  #nextBefore = 0;
  #lastChangeBefore = 0;
  #clusterIdBefore = '';
  /** Time of the last message from etcd about the range, by `performance.now()`. */
  #confirmedAt = performance.now();

  private constructor(records: Map<string, KeyRecord>, revision: number, clusterId: string) {
    this.#records = records;
    this.#next = revision + 1;
    this.#lastChange = revision;
    this.#clusterId = clusterId;
  }

  static of({ revision, records, clusterId }: RangeList): RangeCache {
    return new RangeCache(records, revision, clusterId);
  }

  /** The cursor: the first revision that is not known yet. */
  get next(): number {
    return this.#next;
  }

  get confirmedAt(): number {
    return this.#confirmedAt;
  }

  get clusterId(): string {
    return this.#clusterId;
  }

  get size(): number {
    return this.#records.size;
  }

  rawKeys(): Iterable<string> {
    return this.#records.keys();
  }

  get(rawKey: string): KeyRecord | undefined {
    return this.#records.get(rawKey);
  }

  /** A copy for a lagging listener. It shares the records, which are immutable. */
  copy(): RangeCache {
    const copy = new RangeCache(new Map(this.#records), this.#next - 1, this.#clusterId);
    copy.#lastChange = this.#lastChange;
    return copy;
  }

  /**
   * True if both caches have applied the same changes, even if their cursors differ. Revisions alone cannot show that
   * after the store was replaced.
   */
  hasSeenTheSameAs(other: RangeCache): boolean {
    return this.#next > other.#lastChange && other.#next > this.#lastChange && this.#hasSameRecordsAs(other);
  }

  /** True if a listener that starts at `revision` can join here without missing or repeating a change. */
  canJoinAt(revision: number): boolean {
    return this.#lastChange < revision && revision <= this.#next;
  }

  /** Applies an update in one synchronous step. */
  apply({ revision, changes, origin, clusterId }: RangeUpdate): ChangeBatch {
    this.#nextBefore = this.#next;
    this.#lastChangeBefore = this.#lastChange;
    this.#clusterIdBefore = this.#clusterId;
    if (clusterId !== undefined) this.#clusterId = clusterId;
    const records = this.#records;
    const events = new Array<ChangeEvent>(changes.length);
    let count = 0;
    for (const change of changes) {
      events[count++] = new ChangeEvent(change, records.get(change.rawKey), origin);
      if (isRemoval(change)) records.delete(change.rawKey);
      else records.set(change.rawKey, change);
    }
    this.#next = revision + 1;
    this.#lastChange = revision;
    return { revision, events, origin };
  }

  /** Takes back the update that was applied last, so that it can be delivered again. */
  undo({ events }: ChangeBatch): void {
    for (let index = events.length - 1; index >= 0; index -= 1) events[index]?.undoIn(this.#records);
    this.#next = this.#nextBefore;
    this.#lastChange = this.#lastChangeBefore;
    this.#clusterId = this.#clusterIdBefore;
  }

  /** A copy without the update that was applied last. */
  copyBefore(batch: ChangeBatch): RangeCache {
    const copy = this.copy();
    copy.#nextBefore = this.#nextBefore;
    copy.#lastChangeBefore = this.#lastChangeBefore;
    copy.#clusterIdBefore = this.#clusterIdBefore;
    copy.undo(batch);
    return copy;
  }

  /** Moves the cursor past `revision`, up to which nothing has changed. */
  bookmark(revision: number): void {
    this.#next = Math.max(this.#next, revision + 1);
  }

  /** To be called for each message from etcd about the range. */
  confirm(): void {
    this.#confirmedAt = performance.now();
  }

  /**
   * The changes from the cache to the list, keys in byte order. A missing key counts as deleted at the list's revision.
   */
  difference({ revision, records }: RangeList): KeyChange[] {
    const changes: KeyChange[] = [];
    for (const record of records.values()) {
      const known = this.#records.get(record.rawKey);
      if (!known || !isSame(known, record)) changes.push(record);
    }
    for (const rawKey of this.#records.keys()) {
      if (!records.has(rawKey)) changes.push({ rawKey, value: undefined, revision });
    }
    return changes.sort(byRawKey);
  }

  /** The initial batch of a late listener. */
  current(): ChangeBatch {
    return new InitialBatch(this.#next - 1, this.#records.values());
  }

  /** True if the cache consists of exactly these writes. */
  matches(stamps: readonly KeyStamp[]): boolean {
    return (
      stamps.length === this.#records.size &&
      stamps.every((stamp) => {
        const known = this.#records.get(stamp.rawKey);
        return known !== undefined && isSameWrite(known, stamp);
      })
    );
  }

  #hasSameRecordsAs(other: RangeCache): boolean {
    const others = other.#records;
    if (others.size !== this.#records.size) return false;
    for (const [rawKey, record] of this.#records) {
      const otherRecord = others.get(rawKey);
      if (!otherRecord || !isSame(record, otherRecord)) return false;
    }
    return true;
  }
}

/** Records of a copied cache are usually identical objects. */
const isSame = (a: KeyRecord, b: KeyRecord): boolean => a === b || (isSameWrite(a, b) && hasSameValue(a, b));

const isSameWrite = (a: KeyStamp, b: KeyStamp): boolean =>
  a.revision === b.revision && a.createRevision === b.createRevision && a.version === b.version;
