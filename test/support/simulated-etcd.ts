import type { KeyRecord } from '../../lib/backend/key-record.js';
import type { KeyValueStore, Transaction, TransactionResult } from '../../lib/backend/key-value-store.js';
import { type Lease, LeaseNotFoundError, type LeaseStore } from '../../lib/backend/lease-store.js';
import { UnknownOutcomeError } from '../../lib/etcd-trigger.errors.js';

/** What happens to one request. A delayed one is applied when the given number of further requests has been applied. */
export type Fate = 'answered' | 'lost before it arrives' | 'lost after it was applied' | { readonly delayed: number };

/** Keys with revisions, transactions and leases, as etcd has them, without a network. */
export class SimulatedEtcd implements LeaseStore {
  revision = 1;
  readonly #states: ReadonlyMap<string, KeyRecord>[] = [new Map(), new Map()];
  readonly #leases = new Set<string>();

  read(rawKey: string, revision = this.revision): KeyRecord | undefined {
    return this.#states[revision]?.get(rawKey);
  }

  apply({ conditions = [], operations }: Transaction): TransactionResult {
    if (conditions.some(({ rawKey, revision }) => (this.read(rawKey)?.revision ?? 0) !== revision)) {
      return { applied: false, revision: this.revision, current: conditions.map(({ rawKey }) => this.read(rawKey)) };
    }
    const gone = operations.find(({ lease }) => lease !== undefined && !this.#leases.has(lease));
    if (gone) throw new LeaseNotFoundError('the lease is gone');
    const state = new Map(this.#states[this.revision]);
    const revision = this.revision + 1;
    const deleted = operations
      .filter(({ type, rawKey }) => type === 'delete' && state.has(rawKey))
      .map(({ rawKey }) => rawKey);
    for (const operation of operations) {
      const { rawKey } = operation;
      const { version = 0, createRevision = revision } = state.get(rawKey) ?? {};
      if (operation.type === 'delete') state.delete(rawKey);
      else {
        const { value, lease } = operation;
        state.set(rawKey, { rawKey, value, revision, createRevision, version: version + 1, lease });
      }
    }
    if (operations.some(({ type }) => type === 'put') || deleted.length > 0) {
      this.#states.push(state);
      this.revision = revision;
    }
    return { applied: true, revision: this.revision, deleted };
  }

  grant(ttlSeconds: number): Promise<Lease> {
    const id = String(this.#leases.size + 1);
    this.#leases.add(id);
    return Promise.resolve({ id, ttlSeconds });
  }

  renew(id: string): Promise<boolean> {
    return Promise.resolve(this.#leases.has(id));
  }

  revoke(id: string): Promise<void> {
    this.#leases.delete(id);
    const held = [...(this.#states[this.revision] ?? [])].filter(([, { lease }]) => lease === id);
    const operations = held.map(([key]) => ({ type: 'delete', rawKey: key }) as const);
    if (operations.length > 0) this.apply({ what: 'expire', operations });
    return Promise.resolve();
  }
}

/** A network that does to one writer's requests what it is told, and others that write in between. */
export class SimulatedLink implements KeyValueStore {
  /** Transactions of the writer that were applied, markers of its own left out. */
  applied: { readonly revision: number; readonly transaction: Transaction }[] = [];
  readonly #delayed: { left: number; readonly transaction: Transaction }[] = [];
  readonly #fates: Fate[];

  constructor(
    private readonly etcd: SimulatedEtcd,
    fates: readonly Fate[],
    /** Called before each request arrives. */
    private readonly others: () => void,
  ) {
    this.#fates = [...fates];
  }

  get(rawKey: string, { revision = this.etcd.revision }: { readonly revision?: number } = {}) {
    return Promise.resolve({ record: this.etcd.read(rawKey, revision), revision: this.etcd.revision });
  }

  commit(transaction: Transaction): Promise<TransactionResult> {
    const fate = this.#fates.shift() ?? 'answered';
    this.others();
    if (typeof fate === 'object') this.#delayed.push({ left: fate.delayed, transaction });
    if (fate === 'lost after it was applied') this.#apply(transaction);
    const answer = fate === 'answered' ? this.#apply(transaction) : undefined;
    for (const late of this.#delayed) late.left -= 1;
    this.#deliver((left) => left <= 0);
    if (answer instanceof Error) return Promise.reject(answer);
    return answer ? Promise.resolve(answer) : Promise.reject(new UnknownOutcomeError('lost'));
  }

  /** Whatever is under way arrives. */
  deliverAll(): void {
    this.#deliver(() => true);
  }

  #deliver(isDue: (left: number) => boolean): void {
    for (const late of this.#delayed.filter(({ left }) => isDue(left))) {
      this.#delayed.splice(this.#delayed.indexOf(late), 1);
      this.others();
      this.#apply(late.transaction);
    }
  }

  #apply(transaction: Transaction): TransactionResult | Error {
    try {
      const result = this.etcd.apply(transaction);
      const isOwn = !transaction.what.startsWith('resolve ');
      if (result.applied && isOwn) this.applied.push({ revision: result.revision, transaction });
      return result;
    } catch (error) {
      return error as Error;
    }
  }
}
