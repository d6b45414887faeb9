import { ConnectionError, type EtcdTriggerError, UnknownOutcomeError } from '../../etcd-trigger.errors.js';
import { BACKOFF, pause } from '../../timing/backoff.js';
import type { KeyRecord } from '../../backend/key-record.js';
import {
  type Condition,
  isMet,
  type KeyValueStore,
  type Operation,
  type Transaction,
  type TransactionResult,
} from '../../backend/key-value-store.js';
import { LeaseNotFoundError } from '../../backend/lease-store.js';
import { firstChangeAfter } from './key-history.js';

export interface OutcomeOptions {
  /** Limit of the attempts, in milliseconds. */
  readonly limitMs: number;
  /** Stops the attempts when the module closes. */
  readonly signal: AbortSignal;
  /**
   * Milliseconds before the next attempt.
   * @default BACKOFF.soon
   */
  readonly backoff?: (attempt: number) => number;
}

type Conflict = TransactionResult & { readonly applied: false };

/**
 * Resolves an unknown commit result by the compare of the transaction. A transaction that compares the revision of a
 * key that it writes can be applied at most once, because a revision never recurs. So it may be sent again, and can no
 * longer be applied once the key has changed. The first change of the key after that revision is either this write or
 * proves that the write was not applied. If that change could be either, the outcome stays unknown.
 */
export class CasOutcomeResolver implements KeyValueStore {
  readonly get: KeyValueStore['get'];
  readonly #keyValue: KeyValueStore;
  readonly #options: OutcomeOptions;

  constructor(keyValue: KeyValueStore, options: OutcomeOptions) {
    this.#keyValue = keyValue;
    this.#options = options;
    this.get = keyValue.get.bind(keyValue);
  }

  async commit(transaction: Transaction): Promise<TransactionResult> {
    try {
      return await this.#keyValue.commit(transaction);
    } catch (error) {
      if (!(error instanceof UnknownOutcomeError) || singleUseConditionsOf(transaction).length === 0) throw error;
      return this.#resolve(transaction, error);
    }
  }

  async #resolve(transaction: Transaction, lost: UnknownOutcomeError): Promise<TransactionResult> {
    const { limitMs, signal, backoff = BACKOFF.soon } = this.#options;
    const until = performance.now() + limitMs;
    let expired: LeaseNotFoundError | undefined;
    for (let attempt = 0; !signal.aborted && performance.now() < until; attempt += 1) {
      try {
        // Once a lease has expired, the transaction can no longer be applied: reading its keys is enough.
        const result = await this.#keyValue.commit(expired ? { ...transaction, operations: [] } : transaction);
        if (!result.applied) return await this.#resolveConflict(transaction, result, lost);
        if (!expired) return result;
        throw expired;
      } catch (error) {
        if (error === expired) throw error;
        if (error instanceof LeaseNotFoundError) {
          expired = error;
          continue;
        }
        if (error === lost || !mayRecover(error)) throw lost;
        await pause(backoff(attempt), signal);
      }
    }
    throw lost;
  }

  /** The compare failed, so the key was changed by this write or by another. */
  async #resolveConflict(
    transaction: Transaction,
    conflict: Conflict,
    lost: UnknownOutcomeError,
  ): Promise<TransactionResult> {
    const conditions = singleUseConditionsOf(transaction);
    const failed = conditions.filter(
      (condition) => currentRecordOf(transaction, conflict, condition)?.revision !== condition.revision,
    );
    const [first] = failed;
    if (!first) {
      // A fence that failed never holds again, and the keys are still unchanged.
      if (hasFailedFence(transaction, conflict)) return conflict;
      // Only an ifAbsent condition failed: the key may be deleted, and a pending request may be applied after that.
      throw lost;
    }
    if (failed.length < conditions.length) return conflict;
    const readAt = async (rawKey: string, revision: number): Promise<KeyRecord | undefined> =>
      (await this.#keyValue.get(rawKey, { revision })).record;
    const at = await firstChangeAfter(first.revision, conflict.revision, (revision) => readAt(first.rawKey, revision));
    const records = await Promise.all(transaction.operations.map(({ rawKey }) => readAt(rawKey, at)));
    if (!transaction.operations.every((operation, index) => isResult(operation, records[index], at))) return conflict;
    // A lease that was granted for this write, and a record of the audit trail, prove it; another client may have written
    // the same value.
    if (!transaction.operations.some(hasLease)) throw lost;
    const deletes = transaction.operations.filter(({ type }) => type === 'delete');
    const before = await Promise.all(deletes.map(({ rawKey }) => readAt(rawKey, at - 1)));
    const deleted = deletes.filter((_, index) => before[index]).map(({ rawKey }) => rawKey);
    return { applied: true, revision: at, deleted };
  }
}

/** Returns the conditions that can never hold again once the transaction is applied. */
function singleUseConditionsOf({ conditions = [], operations }: Transaction): readonly SingleUseCondition[] {
  const written = new Set(operations.map(({ rawKey }) => rawKey));
  return conditions.filter(
    (condition): condition is SingleUseCondition => (condition.revision ?? 0) > 0 && written.has(condition.rawKey),
  );
}

type SingleUseCondition = Condition & { readonly revision: number };

const hasFailedFence = ({ conditions = [] }: Transaction, { current }: Conflict): boolean =>
  conditions.some((condition, index) => (condition.createRevision ?? 0) > 0 && !isMet(condition, current[index]));

const currentRecordOf = (
  { conditions = [] }: Transaction,
  { current }: Conflict,
  condition: Condition,
): KeyRecord | undefined => current[conditions.indexOf(condition)];

/** True if the record could be the result of the operation at this revision. */
const isResult = (operation: Operation, found: KeyRecord | undefined, at: number): boolean =>
  operation.type === 'delete'
    ? found === undefined
    : found?.revision === at && found.lease === operation.lease && found.value.equals(operation.value);

const hasLease = (operation: Operation): boolean => operation.lease !== undefined;

/** True if a retry may succeed: the answer was lost again, or etcd is unreachable. */
export const mayRecover = (error: unknown): error is EtcdTriggerError =>
  error instanceof UnknownOutcomeError || error instanceof ConnectionError;
