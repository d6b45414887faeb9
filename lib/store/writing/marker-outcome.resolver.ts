import { randomUUID } from 'node:crypto';
import { ConnectionTimeoutError, UnknownOutcomeError } from '../../etcd-trigger.errors.js';
import { BACKOFF, pause } from '../../timing/backoff.js';
import { mayRecover, type OutcomeOptions } from './cas-outcome.resolver.js';
import { rawKeyOf, type KeyRecord } from '../../backend/key-record.js';
import type { KeyValueStore, Transaction, TransactionResult } from '../../backend/key-value-store.js';
import { LeaseNotFoundError } from '../../backend/lease-store.js';
import type { MarkerLease } from './marker-lease.js';

interface Marker {
  readonly rawKey: string;
  readonly lease: string;
}

/**
 * Resolves an unknown commit result by a marker key that the same transaction writes on condition that it is absent.
 * Reading an absent marker would prove nothing, because the request may still arrive. So the marker is put as a fence
 * instead: if the put succeeds, the transaction can never be applied; if it fails, the marker has the revision of the
 * transaction.
 *
 * Transaction and fence use the same lease. Until it expires, the marker of whichever was applied first exists; after
 * that, etcd rejects both.
 */
export class MarkerOutcomeResolver implements KeyValueStore {
  readonly get: KeyValueStore['get'];
  readonly #keyValue: KeyValueStore;
  readonly #lease: MarkerLease;
  readonly #prefix: string;
  readonly #options: OutcomeOptions;

  constructor(
    keyValue: KeyValueStore,
    lease: MarkerLease,
    { prefix, ...options }: OutcomeOptions & { readonly prefix: string },
  ) {
    this.#keyValue = keyValue;
    this.#lease = lease;
    this.#prefix = rawKeyOf(prefix);
    this.#options = options;
    this.get = keyValue.get.bind(keyValue);
  }

  async commit(transaction: Transaction): Promise<TransactionResult> {
    const until = performance.now() + this.#options.limitMs;
    let isLeaseRenewed = false;
    for (;;) {
      const marker = { rawKey: this.#prefix + randomUUID(), lease: await this.#lease.current() };
      try {
        return withoutMarker(await this.#keyValue.commit(marked(transaction, marker)));
      } catch (error) {
        if (error instanceof LeaseNotFoundError && !isLeaseRenewed) {
          // etcd rejected the transaction, so it can be sent again.
          this.#lease.forget();
          isLeaseRenewed = true;
        } else if (error instanceof UnknownOutcomeError) {
          const written = await this.#fence(transaction.what, marker, until, error);
          if (written) return this.#appliedResult(transaction, written.revision, error);
        } else {
          throw error;
        }
        this.#checkTime(transaction, until, error);
      }
    }
  }

  /** Returns the marker of the transaction; `undefined` if the transaction was not applied and never will be. */
  async #fence(what: string, marker: Marker, until: number, lost: UnknownOutcomeError): Promise<KeyRecord | undefined> {
    const { signal, backoff = BACKOFF.soon } = this.#options;
    for (let attempt = 0; !signal.aborted && performance.now() < until; attempt += 1) {
      try {
        const result = await this.#keyValue.commit(fenceOf(what, marker));
        const record = result.applied ? undefined : result.current[0];
        return record?.value.equals(WRITTEN) ? record : undefined;
      } catch (error) {
        if (!mayRecover(error)) throw lost;
        await pause(backoff(attempt), signal);
      }
    }
    throw lost;
  }

  /** Reconstructs the lost result. */
  async #appliedResult(
    { operations }: Transaction,
    revision: number,
    lost: UnknownOutcomeError,
  ): Promise<TransactionResult> {
    const deletes = operations.filter(({ type }) => type === 'delete');
    try {
      const before = await Promise.all(
        deletes.map(({ rawKey }) => this.#keyValue.get(rawKey, { revision: revision - 1 })),
      );
      const deleted = deletes.filter((_, index) => before[index]?.record).map(({ rawKey }) => rawKey);
      return { applied: true, revision, deleted };
    } catch {
      throw lost;
    }
  }

  #checkTime({ what, key }: Transaction, until: number, cause: unknown): void {
    if (performance.now() < until) return;
    throw new ConnectionTimeoutError(`${what}: no answer in time; the write was not applied and never will be`, {
      key,
      cause,
    });
  }
}

const WRITTEN = Buffer.from('written');
const FENCED = Buffer.from('fenced');

const marked = ({ conditions = [], operations, ...rest }: Transaction, { rawKey, lease }: Marker): Transaction => ({
  ...rest,
  conditions: [...conditions, { rawKey, revision: 0 }],
  operations: [...operations, { type: 'put', rawKey, value: WRITTEN, lease }],
});

const withoutMarker = (result: TransactionResult): TransactionResult =>
  result.applied ? result : { ...result, current: result.current.slice(0, -1) };

/** Idempotent. */
const fenceOf = (what: string, { rawKey, lease }: Marker): Transaction => ({
  what: `resolve ${what}`,
  conditions: [{ rawKey, revision: 0 }],
  operations: [{ type: 'put', rawKey, value: FENCED, lease }],
});
