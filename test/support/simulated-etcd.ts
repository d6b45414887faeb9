import type { KeyRecord } from '../../lib/backend/key-record.js';
import type { KeyValueStore, Transaction, TransactionResult } from '../../lib/backend/key-value-store.js';
import type { Lease, LeaseStore } from '../../lib/backend/lease-store.js';
import { UnknownOutcomeError } from '../../lib/etcd-trigger.errors.js';
import { FakeServer } from '../../lib/testing/fake/fake-server.js';

const LONGER_THAN_ANY_LEASE_MS = 1e9;

/** Fate of one request. A delayed request is applied after the given number of later requests. */
export type Fate = 'answered' | 'lost before it arrives' | 'lost after it was applied' | { readonly delayed: number };

/** The store and the leases of the shipped fake, without its network. */
export class SimulatedEtcd implements LeaseStore {
  readonly #server = new FakeServer();

  get revision(): number {
    return this.#server.revision;
  }

  read(rawKey: string, revision = this.revision): KeyRecord | undefined {
    if (revision === this.revision) return this.#server.get(rawKey);
    return this.#server.range('read', { kind: 'key', rawKey }, revision)[0];
  }

  apply({ what, conditions = [], operations }: Transaction): TransactionResult {
    return this.#server.commit(what, conditions, operations);
  }

  grant(ttlSeconds: number): Promise<Lease> {
    return Promise.resolve(this.#server.leases.grant(ttlSeconds));
  }

  renew(id: string): Promise<boolean> {
    return Promise.resolve(this.#server.leases.renew(id));
  }

  revoke(id: string): Promise<void> {
    this.#server.leases.revoke(id);
    return Promise.resolve();
  }

  /** Advances the virtual clock until every lease has expired. */
  expireLeases(): void {
    this.#server.clock.advance(LONGER_THAN_ANY_LEASE_MS);
  }
}

/** An unreliable network for one writer's requests, with other clients that write in between. */
export class SimulatedLink implements KeyValueStore {
  /** Applied transactions of the writer, without its markers. */
  applied: { readonly revision: number; readonly transaction: Transaction }[] = [];
  readonly #delayed: { left: number; readonly transaction: Transaction }[] = [];
  readonly #fates: Fate[];

  constructor(
    private readonly etcd: SimulatedEtcd,
    fates: readonly Fate[],
    /** Called before each request arrives. Writes as other clients do. */
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
    const result = fate === 'answered' ? this.#apply(transaction) : undefined;
    for (const late of this.#delayed) late.left -= 1;
    this.#deliver((left) => left <= 0);
    if (result instanceof Error) return Promise.reject(result);
    return result ? Promise.resolve(result) : Promise.reject(new UnknownOutcomeError('lost'));
  }

  /** Delivers all delayed requests. */
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
      const isOwn = !transaction.what.startsWith('settle ');
      if (result.applied && isOwn) this.applied.push({ revision: result.revision, transaction });
      return result;
    } catch (error) {
      return error as Error;
    }
  }
}
