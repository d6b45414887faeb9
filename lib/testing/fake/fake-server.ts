import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import type { KeyRecord } from '../../backend/key-record.js';
import type { Condition, Operation } from '../../backend/key-value-store.js';
import { LeaseNotFoundError } from '../../backend/lease-store.js';
import { CompactedError, FutureRevisionError } from '../../backend/list-watcher.js';
import { FakeLeases } from './fake-leases.js';
import { FakeLink, type FakeRange } from './fake-link.js';
import { type FakeCommit, type FakeSnapshot, FakeStore } from './fake-store.js';
import { VirtualClock } from './virtual-clock.js';

/** What is told whenever the store has changed: the open watches. */
export interface ServerWatch {
  /** Takes what is new in the store. */
  collect(): void;
  /** Hands on what may be handed on now. */
  flush(): void;
  /** The connection is gone. */
  lost(): void;
}

/** The server side of the fake: one store, its leases, and who watches it. Keys are whole and byte for byte. */
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
   * A range as it is now, or was at a revision.
   * @throws CompactedError, FutureRevisionError when the store does not hold that revision
   */
  range(what: string, range: FakeRange, revision = this.revision): KeyRecord[] {
    if (revision < this.compacted) throw new CompactedError(what, undefined);
    if (revision > this.revision) {
      throw new FutureRevisionError(`${what}: etcdserver: mvcc: required revision is a future revision`);
    }
    return this.#store.recordsAt(revision).filter(({ rawKey }) => includes(range, rawKey));
  }

  /** The changes of a range from a revision on that is not compacted, by revision. */
  since(range: FakeRange, start: number): ReturnType<FakeStore['since']> {
    return this.#store
      .since(start)
      .map(({ revision, changes }) => ({ revision, changes: changes.filter(({ rawKey }) => includes(range, rawKey)) }))
      .filter(({ changes }) => changes.length > 0);
  }

  /** @throws WriteError, InvalidOptionsError where etcd refuses */
  commit(what: string, conditions: readonly Condition[], operations: readonly Operation[]): FakeCommit {
    const written = new Set<string>();
    for (const { type, rawKey } of operations.filter((each) => each.type === 'put')) {
      const isDouble =
        written.has(rawKey) || operations.some((other) => other.type !== type && other.rawKey === rawKey);
      if (isDouble) throw new InvalidOptionsError(`${what}: etcdserver: duplicate key given in txn request`);
      written.add(rawKey);
    }
    if (this.#store.holds(conditions)) for (const operation of operations) this.#checkLease(what, operation);
    const result = this.#store.commit(conditions, operations);
    this.#changed();
    return result;
  }

  /** @throws InvalidOptionsError for a revision that is compacted or to come */
  compact(revision: number): void {
    if (!Number.isSafeInteger(revision) || revision <= this.compacted || revision > this.revision) {
      const known = `the store is at ${this.revision} and compacted up to ${this.compacted}`;
      throw new InvalidOptionsError(`compact(${revision}): ${known}; give a revision in between`);
    }
    this.#store.compact(revision);
  }

  snapshot(): FakeSnapshot {
    return this.#store.snapshot();
  }

  /** The server goes down and comes back with another store. */
  restore(snapshot: FakeSnapshot): void {
    this.leases.clear();
    this.#store.restore(snapshot);
    this.cut();
  }

  /** Every watch loses its connection; new ones are as the link says. */
  cut(): void {
    for (const watch of [...this.#watches]) watch.lost();
  }

  add(watch: ServerWatch): void {
    this.#watches.add(watch);
  }

  remove(watch: ServerWatch): void {
    this.#watches.delete(watch);
  }

  /** Never in the middle of somebody's write: what is handed on may write too. */
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

  #checkLease(what: string, { lease }: Operation): void {
    if (lease === undefined || this.leases.has(lease)) return;
    throw new LeaseNotFoundError(`${what}: etcdserver: requested lease not found`);
  }

  #deleteAllOf(lease: string): void {
    const ids = this.#store.recordsAt(this.revision).filter((record) => record.lease === lease);
    this.#store.commit(
      [],
      ids.map(({ rawKey }) => ({ type: 'delete', rawKey })),
    );
    this.#changed();
  }
}

const includes = ({ kind, rawKey }: FakeRange, key: string): boolean =>
  kind === 'key' ? key === rawKey : key.startsWith(rawKey);
