import { randomUUID } from 'node:crypto';
import { ConnectionTimeoutError, UnknownOutcomeError } from '../../etcd-trigger.errors.js';
import { BACKOFF, quietPause } from '../../timing/backoff.js';
import { mayPass, type OutcomeOptions } from './cas-outcome.resolver.js';
import { rawKeyOf, type KeyRecord } from '../../backend/key-record.js';
import type { KeyValueStore, Transaction, TransactionResult } from '../../backend/key-value-store.js';
import { LeaseNotFoundError } from '../../backend/lease-store.js';
import type { MarkerLease } from './marker-lease.js';

interface Marker {
  readonly rawKey: string;
  readonly lease: string;
}

/**
 * Settles a lost answer by a marker that is written in the same transaction, on condition that it is absent. Reading that it is absent would prove
 * nothing: the request may still be under way. So the marker is put instead, as a fence: if that succeeds, the transaction can never be applied;
 * if it does not, the marker is there, with the revision of the transaction.
 *
 * Transaction and fence name the same lease. While it lives, so does whichever came first; when it has ended, etcd refuses both.
 */
export class MarkerOutcomeResolver implements KeyValueStore {
  readonly get: KeyValueStore['get'];
  readonly #keyValue: KeyValueStore;
  readonly #lease: MarkerLease;
  readonly #prefix: string;
  readonly #terms: OutcomeOptions;

  constructor(
    keyValue: KeyValueStore,
    lease: MarkerLease,
    { prefix, ...terms }: OutcomeOptions & { readonly prefix: string },
  ) {
    this.#keyValue = keyValue;
    this.#lease = lease;
    this.#prefix = rawKeyOf(prefix);
    this.#terms = terms;
    this.get = keyValue.get.bind(keyValue);
  }

  async commit(transaction: Transaction): Promise<TransactionResult> {
    const until = performance.now() + this.#terms.limitMs;
    let isLeaseRenewed = false;
    for (;;) {
      const marker = { rawKey: this.#prefix + randomUUID(), lease: await this.#lease.current() };
      try {
        return withoutMarker(await this.#keyValue.commit(marked(transaction, marker)));
      } catch (error) {
        if (error instanceof LeaseNotFoundError && !isLeaseRenewed) {
          // Refused, so nothing is under way.
          this.#lease.forget();
          isLeaseRenewed = true;
        } else if (error instanceof UnknownOutcomeError) {
          const written = await this.#settle(transaction.what, marker, until, error);
          if (written) return this.#applied(transaction, written.revision, error);
        } else {
          throw error;
        }
        this.#checkTime(transaction, until, error);
      }
    }
  }

  /** The marker as the transaction wrote it, or `undefined`: it was not applied and never will be. */
  async #settle(
    what: string,
    marker: Marker,
    until: number,
    lost: UnknownOutcomeError,
  ): Promise<KeyRecord | undefined> {
    const { signal, backoff = BACKOFF.soon } = this.#terms;
    for (let attempt = 0; !signal.aborted && performance.now() < until; attempt += 1) {
      try {
        const fence = await this.#keyValue.commit(fenceOf(what, marker));
        const found = fence.applied ? undefined : fence.current[0];
        return found?.value.equals(WRITTEN) ? found : undefined;
      } catch (error) {
        if (!mayPass(error)) throw lost;
        await quietPause(backoff(attempt), signal);
      }
    }
    throw lost;
  }

  /** What the answer would have said. */
  async #applied({ operations }: Transaction, revision: number, lost: UnknownOutcomeError): Promise<TransactionResult> {
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
    throw new ConnectionTimeoutError(`${what}: no answer in time; it was not applied and never will be`, {
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

/** May be sent any number of times. */
const fenceOf = (what: string, { rawKey, lease }: Marker): Transaction => ({
  what: `settle ${what}`,
  conditions: [{ rawKey, revision: 0 }],
  operations: [{ type: 'put', rawKey, value: FENCED, lease }],
});
