import { ConnectionError, type EtcdTriggerError, UnknownOutcomeError } from '../../etcd-trigger.errors.js';
import { BACKOFF, quietPause } from '../../timing/backoff.js';
import type { KeyRecord } from '../../backend/key-record.js';
import type {
  Condition,
  KeyValueStore,
  Operation,
  Transaction,
  TransactionResult,
} from '../../backend/key-value-store.js';
import { firstChangeAfter } from './key-history.js';

/** How a lost answer is settled. */
export interface OutcomeOptions {
  /** How long to try, in milliseconds. */
  readonly limitMs: number;
  /** Ends trying: the module closes. */
  readonly signal: AbortSignal;
  /** Milliseconds before another attempt. @default BACKOFF.soon */
  readonly backoff?: (attempt: number) => number;
}

type Conflict = TransactionResult & { readonly applied: false };

/**
 * Settles a lost answer by the compare itself. A transaction that demands a revision of a key that it writes can be applied once at most, because a
 * revision never comes back: so it may be sent again, and when the key has moved on it never will be applied. Whether it was, is told by the first
 * change of the key after that revision, which is this write or proves that it was not. Where that change could be either, the outcome stays unknown.
 */
export class CasOutcomeResolver implements KeyValueStore {
  readonly get: KeyValueStore['get'];
  readonly #keyValue: KeyValueStore;
  readonly #terms: OutcomeOptions;

  constructor(keyValue: KeyValueStore, terms: OutcomeOptions) {
    this.#keyValue = keyValue;
    this.#terms = terms;
    this.get = keyValue.get.bind(keyValue);
  }

  async commit(transaction: Transaction): Promise<TransactionResult> {
    try {
      return await this.#keyValue.commit(transaction);
    } catch (error) {
      if (!(error instanceof UnknownOutcomeError) || pinsOf(transaction).length === 0) throw error;
      return this.#settle(transaction, error);
    }
  }

  async #settle(transaction: Transaction, lost: UnknownOutcomeError): Promise<TransactionResult> {
    const { limitMs, signal, backoff = BACKOFF.soon } = this.#terms;
    const until = performance.now() + limitMs;
    for (let attempt = 0; !signal.aborted && performance.now() < until; attempt += 1) {
      try {
        const result = await this.#keyValue.commit(transaction);
        return result.applied ? result : await this.#verdict(transaction, result, lost);
      } catch (error) {
        if (error === lost || !mayPass(error)) throw lost;
        await quietPause(backoff(attempt), signal);
      }
    }
    throw lost;
  }

  /** The compare failed, which says that the key has moved on: by this write or by another. */
  async #verdict(transaction: Transaction, conflict: Conflict, lost: UnknownOutcomeError): Promise<TransactionResult> {
    const pins = pinsOf(transaction);
    const moved = pins.filter((pin) => heldBy(transaction, conflict, pin)?.revision !== pin.revision);
    const [pin] = moved;
    // Only a key that has to be absent stands in the way: it may be deleted, and a request under way be applied then.
    if (!pin) throw lost;
    if (moved.length < pins.length) return conflict;
    const readAt = async (rawKey: string, revision: number): Promise<KeyRecord | undefined> =>
      (await this.#keyValue.get(rawKey, { revision })).record;
    const at = await firstChangeAfter(pin.revision, conflict.revision, (revision) => readAt(pin.rawKey, revision));
    const then = await Promise.all(transaction.operations.map(({ rawKey }) => readAt(rawKey, at)));
    if (!transaction.operations.every((operation, index) => isResult(operation, then[index], at))) return conflict;
    // A lease that was granted for this very write leaves no doubt; the same value may have been written by another.
    if (transaction.operations.every(hasLease)) return { applied: true, revision: at, deleted: [] };
    throw lost;
  }
}

/** Conditions that hold until the transaction is applied, and never again. */
function pinsOf({ conditions = [], operations }: Transaction): readonly Condition[] {
  const written = new Set(operations.map(({ rawKey }) => rawKey));
  return conditions.filter(({ rawKey, revision }) => revision > 0 && written.has(rawKey));
}

const heldBy = ({ conditions = [] }: Transaction, { current }: Conflict, pin: Condition): KeyRecord | undefined =>
  current[conditions.indexOf(pin)];

/** Whether the key looks as if the operation had been applied at this revision. */
const isResult = (operation: Operation, found: KeyRecord | undefined, at: number): boolean =>
  operation.type === 'delete'
    ? found === undefined
    : found?.revision === at && found.lease === operation.lease && found.value.equals(operation.value);

const hasLease = (operation: Operation): boolean => operation.lease !== undefined;

/** Whether asking again may help: the answer was lost again, or etcd is away for now. */
export const mayPass = (error: unknown): error is EtcdTriggerError =>
  error instanceof UnknownOutcomeError || error instanceof ConnectionError;
