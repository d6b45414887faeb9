import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import type { KeyRecord } from '../../backend/key-record.js';
import type { Condition, Operation } from '../../backend/key-value-store.js';
import { LeaseNotFoundError } from '../../backend/lease-store.js';
import { CompactedError, FutureRevisionError } from '../../backend/list-watcher.js';
import { FakeLeases } from './fake-leases.js';
import { FakeLink, type FakeRange } from './fake-link.js';
import { type FakeCommit, type FakeSnapshot, FakeStore } from './fake-store.js';
import { VirtualClock } from './virtual-clock.js';

/** An open watch, which the server notifies of changes. */
export interface ServerWatch {
  /** Buffers the store's new changes. */
  collect(): void;
  /** Buffers the store's revision, up to which everything was buffered before. */
  bookmark(): void;
  /** Delivers buffered messages as far as the link and the reader permit. */
  flush(): void;
  /** Ends the watch, because its connection is lost. */
  lost(): void;
}

/** The server side of the fake: a store, its leases and its watches. Keys include the applications' prefixes. */
export class FakeServer {
  readonly clusterId = '1';
  readonly clock = new VirtualClock();
  readonly link = new FakeLink(this.clock);
  readonly leases = new FakeLeases(this.clock, (leaseId) => {
    this.#deleteAllOf(leaseId);
  });
  readonly #store = new FakeStore();
  readonly #watches = new Set<ServerWatch>();
  #flushing: Promise<void> | undefined;
  #bookmarkedAt = 0;

  get revision(): number {
    return this.#store.revision;
  }

  get compacted(): number {
    return this.#store.compacted;
  }

  get(rawKey: string): KeyRecord | undefined {
    return this.#store.get(rawKey);
  }

  /**
   * Returns the records of a range, now or at a revision.
   * @throws CompactedError, FutureRevisionError if the store does not have that revision
   */
  range(what: string, range: FakeRange, revision = this.revision): KeyRecord[] {
    if (revision < this.compacted) throw new CompactedError(what, undefined);
    if (revision > this.revision) {
      throw new FutureRevisionError(`${what}: etcdserver: mvcc: required revision is a future revision`);
    }
    return this.#store.recordsAt(revision).filter(({ rawKey }) => includes(range, rawKey));
  }

  /** Returns the changes of a range from a revision on, grouped by revision. `start` must not be compacted. */
  since(range: FakeRange, start: number): ReturnType<FakeStore['since']> {
    return this.#store
      .since(start)
      .map(({ revision, changes }) => ({ revision, changes: changes.filter(({ rawKey }) => includes(range, rawKey)) }))
      .filter(({ changes }) => changes.length > 0);
  }

  /** @throws LeaseNotFoundError, InvalidOptionsError for transactions that etcd rejects */
  commit(what: string, conditions: readonly Condition[], operations: readonly Operation[]): FakeCommit {
    const written = new Set<string>();
    for (const { type, rawKey } of operations.filter((each) => each.type === 'put')) {
      const isDuplicate =
        written.has(rawKey) || operations.some((other) => other.type !== type && other.rawKey === rawKey);
      if (isDuplicate) throw new InvalidOptionsError(`${what}: etcdserver: duplicate key given in txn request`);
      written.add(rawKey);
    }
    if (this.#store.holds(conditions)) for (const operation of operations) this.#checkLease(what, operation);
    const result = this.#store.commit(conditions, operations);
    this.#changed();
    return result;
  }

  /** @throws InvalidOptionsError for a revision that is compacted or in the future */
  compact(revision: number): void {
    if (!Number.isSafeInteger(revision) || revision <= this.compacted || revision > this.revision) {
      const known = `the store is at ${this.revision} and compacted up to ${this.compacted}`;
      throw new InvalidOptionsError(`compact(${revision}): ${known}; pass a revision in between`);
    }
    this.#store.compact(revision);
  }

  snapshot(): FakeSnapshot {
    return { ...this.#store.snapshot(), leases: this.leases.all };
  }

  /** Replaces the store and cuts all watches, like a server that is restarted from a backup. */
  restore(snapshot: FakeSnapshot): void {
    this.leases.restore(snapshot.leases);
    this.#store.restore(snapshot);
    this.cut();
  }

  /** Advances the clock. Like a real client, the watches learn the revision of a quiet store about once a minute. */
  advance(ms: number): void {
    this.clock.advance(ms);
    if (this.clock.now < this.#bookmarkedAt + BOOKMARK_MS) return;
    this.#bookmarkedAt = this.clock.now;
    for (const watch of this.#watches) watch.bookmark();
    this.flushSoon();
  }

  /** Cuts every open watch. */
  cut(): void {
    for (const watch of [...this.#watches]) watch.lost();
  }

  add(watch: ServerWatch): void {
    this.#watches.add(watch);
  }

  remove(watch: ServerWatch): void {
    this.#watches.delete(watch);
  }

  /** Delivers changes in a microtask, not during the write itself, because a listener may write too. */
  flushSoon(): void {
    this.#flushing ??= Promise.resolve().then(() => {
      this.#flushing = undefined;
      for (const watch of [...this.#watches]) watch.flush();
    });
  }

  #changed(): void {
    for (const watch of this.#watches) watch.collect();
    this.flushSoon();
  }

  /** Returns the keys with a lease, `undefined` if the lease does not exist. */
  keysOf(lease: string): string[] | undefined {
    if (!this.leases.has(lease)) return undefined;
    return this.#store
      .recordsAt(this.revision)
      .filter((record) => record.lease === lease)
      .map(({ rawKey }) => rawKey);
  }

  #checkLease(what: string, { lease }: Operation): void {
    if (lease === undefined || this.leases.has(lease)) return;
    throw new LeaseNotFoundError(`${what}: etcdserver: requested lease not found`);
  }

  #deleteAllOf(lease: string): void {
    const keys = this.#store.recordsAt(this.revision).filter((record) => record.lease === lease);
    this.#store.commit(
      [],
      keys.map(({ rawKey }) => ({ type: 'delete', rawKey })),
    );
    this.#changed();
  }
}

/** Virtual milliseconds between two bookmarks. */
const BOOKMARK_MS = 60_000;

const includes = ({ kind, rawKey }: FakeRange, key: string): boolean =>
  kind === 'key' ? key === rawKey : key.startsWith(rawKey);
