import type { KeyChange, KeyRecord } from '../../backend/key-record.js';
import { PackedRecord, MAX_TEXT_BYTES } from '../../backend/key-record.js';
import type { FakeLeaseRecord } from './fake-leases.js';
import { type Condition, isMet, type Operation } from '../../backend/key-value-store.js';

/** Changes of one transaction. */
export interface FakeRevision {
  readonly revision: number;
  readonly changes: readonly KeyChange[];
}

/** An immutable backup of a store. */
export interface FakeSnapshot extends FakeStoreSnapshot {
  /** @internal */
  readonly leases: readonly FakeLeaseRecord[];
}

/** The keys of a backup. */
export interface FakeStoreSnapshot {
  readonly revision: number;
  readonly compacted: number;
  /** @internal */
  readonly base: ReadonlyMap<string, KeyRecord>;
  /** @internal */
  readonly history: readonly FakeRevision[];
}

export type FakeCommit =
  | { readonly applied: true; readonly revision: number; readonly deleted: readonly string[] }
  | { readonly applied: false; readonly revision: number; readonly current: readonly (KeyRecord | undefined)[] };

/** etcd's multi-version store in memory: revisions, versions, transactions, history and compaction. */
export class FakeStore {
  /** State at the compacted revision. Later changes are in the history. */
  #base = new Map<string, KeyRecord>();
  #history: FakeRevision[] = [];
  #current = new Map<string, KeyRecord>();
  #revision = 1;
  #compacted = 0;

  /** Revision of the last change. An empty store is at revision 1. */
  get revision(): number {
    return this.#revision;
  }

  /** Revision before which the history is compacted, or 0. */
  get compacted(): number {
    return this.#compacted;
  }

  get(rawKey: string): KeyRecord | undefined {
    return this.#current.get(rawKey);
  }

  /** Returns all records at a revision in byte order of their keys. The revision must be available. */
  recordsAt(revision: number): KeyRecord[] {
    const state = revision === this.#revision ? this.#current : new Map(this.#base);
    if (state !== this.#current) {
      for (const past of this.#history) if (past.revision <= revision) applyTo(state, past.changes);
    }
    return [...state.values()].sort((a, b) => (a.rawKey < b.rawKey ? -1 : 1));
  }

  /** Returns every revision from `start` on. `start` must not be compacted. */
  since(start: number): FakeRevision[] {
    return this.#history.filter(({ revision }) => revision >= start);
  }

  /** True if every key meets its condition. */
  holds(conditions: readonly Condition[]): boolean {
    return conditions.every((condition) =>
      condition.noneCreatedBefore === undefined
        ? isMet(condition, this.get(condition.rawKey))
        : this.#isFirstCreatedAt(condition.rawKey, condition.noneCreatedBefore),
    );
  }

  /**
   * Applies all operations or none. A transaction without effect, such as a delete of an absent key, adds no revision.
   */
  commit(conditions: readonly Condition[], operations: readonly Operation[]): FakeCommit {
    if (!this.holds(conditions)) {
      const current = conditions.map(({ rawKey, noneCreatedBefore }) =>
        noneCreatedBefore === undefined ? this.get(rawKey) : this.#newestBefore(rawKey, noneCreatedBefore),
      );
      return { applied: false, revision: this.#revision, current };
    }
    const revision = this.#revision + 1;
    const changes = operations
      .filter((operation) => operation.type === 'put' || this.#current.has(operation.rawKey))
      .map((operation) => this.#changeOf(operation, revision));
    if (changes.length > 0) {
      applyTo(this.#current, changes);
      this.#history.push({ revision, changes });
      this.#revision = revision;
    }
    const deleted = changes.filter(({ createRevision }) => createRevision === undefined).map(({ rawKey }) => rawKey);
    return { applied: true, revision: this.#revision, deleted };
  }

  /** Removes the history before a revision. The revision must be available. */
  compact(revision: number): void {
    this.#base = new Map(this.recordsAt(revision).map((record) => [record.rawKey, record]));
    // As in etcd, the changes at the compacted revision itself can still be watched.
    this.#history = this.since(revision);
    this.#compacted = revision;
  }

  snapshot(): FakeStoreSnapshot {
    const { revision, compacted } = this;
    return { revision, compacted, base: new Map(this.#base), history: [...this.#history] };
  }

  restore({ revision, compacted, base, history }: FakeStoreSnapshot): void {
    this.#revision = revision;
    this.#compacted = compacted;
    this.#base = new Map(base);
    this.#history = [...history];
    this.#current = new Map(base);
    for (const past of history) applyTo(this.#current, past.changes);
  }

  #isFirstCreatedAt(prefix: string, first: number): boolean {
    const records = this.#under(prefix);
    if (records.length === 0) return first === 0;
    return first > 0 && records.every(({ createRevision }) => createRevision >= first);
  }

  /** etcd reads 0 as no limit for the highest create revision, so this method does, too. */
  #newestBefore(prefix: string, first: number): KeyRecord | undefined {
    const limit = first > 1 ? first : Infinity;
    return this.#under(prefix)
      .filter(({ createRevision }) => createRevision < limit)
      .reduce<KeyRecord | undefined>((a, b) => (a && a.createRevision > b.createRevision ? a : b), undefined);
  }

  #under(prefix: string): KeyRecord[] {
    return [...this.#current.values()].filter(({ rawKey }) => rawKey.startsWith(prefix));
  }

  #changeOf(operation: Operation, revision: number): KeyChange {
    const { rawKey } = operation;
    if (operation.type === 'delete') return { rawKey, value: undefined, revision };
    const before = this.#current.get(rawKey);
    return new PackedRecord(
      rawKey,
      packed(operation.value),
      revision,
      before?.createRevision ?? revision,
      (before?.version ?? 0) + 1,
      operation.lease,
    );
  }
}

function applyTo(state: Map<string, KeyRecord>, changes: readonly KeyChange[]): void {
  for (const change of changes) {
    if (change.createRevision === undefined) state.delete(change.rawKey);
    else state.set(change.rawKey, change);
  }
}

/** Copies a value, so that a caller cannot change the stored one. */
const packed = (value: Buffer): string | Buffer =>
  value.length <= MAX_TEXT_BYTES ? value.toString('latin1') : Buffer.from(value);
