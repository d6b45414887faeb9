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

/** What happened to a range: one revision of a stream, or the difference that a list made. */
export interface RangeUpdate {
  readonly revision: number;
  readonly changes: readonly KeyChange[];
  readonly origin: Exclude<WatchOrigin, 'initial'>;
  /** Set when the store has another past from here on: the cluster it is now. */
  readonly clusterId?: string;
}

/**
 * What is known of a range, and the cursor: the first revision that is not known yet. From it come `previous`, the difference after history
 * was lost, the comparison after a reconnect, and what a late listener is given.
 */
export class RangeCache {
  readonly #records: Map<string, KeyRecord>;
  #next: number;
  /** No change above this one was applied; bookmarks move the cursor only. */
  #lastChange: number;
  #clusterId: string;
  /** When etcd last said something about the range, by `performance.now()`. */
  #confirmedAt = performance.now();

  private constructor(records: Map<string, KeyRecord>, revision: number, clusterId: string) {
    this.#records = records;
    this.#next = revision + 1;
    this.#lastChange = revision;
    this.#clusterId = clusterId;
  }

  /** What a list found. */
  static of({ revision, records, clusterId }: RangeList): RangeCache {
    return new RangeCache(records, revision, clusterId);
  }

  /** First revision that is not known yet. */
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

  get(rawKey: string): KeyRecord | undefined {
    return this.#records.get(rawKey);
  }

  /** The same knowledge for a listener that goes on alone. Records are shared, they never change. */
  copy(): RangeCache {
    const copy = new RangeCache(new Map(this.#records), this.#next - 1, this.#clusterId);
    copy.#lastChange = this.#lastChange;
    return copy;
  }

  /** Whether both know exactly the same, wherever their cursors stand. Of a store that was replaced, revisions alone would not tell. */
  hasSeenTheSameAs(other: RangeCache): boolean {
    return this.#next > other.#lastChange && other.#next > this.#lastChange && this.#holdsTheSameAs(other);
  }

  /** Whether what follows here, from `revision` on, lacks nothing. */
  hasNothingFrom(revision: number): boolean {
    return this.#lastChange < revision && revision <= this.#next;
  }

  /** One revision, or one difference, in one step. */
  apply({ revision, changes, origin, clusterId }: RangeUpdate): ChangeBatch {
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

  /** Nothing happened up to `revision`. */
  bookmark(revision: number): void {
    this.#next = Math.max(this.#next, revision + 1);
  }

  /** etcd has just said something about the range. */
  confirm(): void {
    this.#confirmedAt = performance.now();
  }

  /** What must be applied to get from what is known to the list, keys in byte order; a key that is gone, is gone as of the list's revision. */
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

  /** Everything that is known, as a late listener gets it. */
  current(): ChangeBatch {
    return new InitialBatch(this.#next - 1, this.#records.values());
  }

  /** Whether these are exactly the writes that are known. */
  matches(stamps: readonly KeyStamp[]): boolean {
    return (
      stamps.length === this.#records.size &&
      stamps.every((stamp) => {
        const known = this.#records.get(stamp.rawKey);
        return known !== undefined && isSameWrite(known, stamp);
      })
    );
  }

  #holdsTheSameAs(other: RangeCache): boolean {
    const others = other.#records;
    if (others.size !== this.#records.size) return false;
    for (const [rawKey, record] of this.#records) {
      const theirs = others.get(rawKey);
      if (!theirs || !isSame(record, theirs)) return false;
    }
    return true;
  }
}

/** A copied memory shares its records with the one it was made from. */
const isSame = (a: KeyRecord, b: KeyRecord): boolean => a === b || (isSameWrite(a, b) && hasSameValue(a, b));

const isSameWrite = (a: KeyStamp, b: KeyStamp): boolean =>
  a.revision === b.revision && a.createRevision === b.createRevision && a.version === b.version;
