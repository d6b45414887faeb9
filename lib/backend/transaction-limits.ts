import { WriteError } from '../etcd-trigger.errors.js';
import { compareCount, type Transaction } from './key-value-store.js';

/** Limits of the servers, from `--max-request-bytes` and `--max-txn-ops`. */
export interface TransactionLimits {
  /**
   * The largest request, in bytes (`--max-request-bytes`).
   * @default 1_572_864
   */
  readonly requestBytes: number;
  /**
   * The largest number of operations of a transaction (`--max-txn-ops`).
   * @default 128
   */
  readonly transactionOperations: number;
}

/** etcd's defaults for `--max-request-bytes` and `--max-txn-ops`. */
export const DEFAULT_LIMITS: TransactionLimits = { requestBytes: 1.5 * 1024 * 1024, transactionOperations: 128 };
/** Upper bound of the encoded size of an operation, without its key and value. */
const OPERATION_OVERHEAD = 40;

/**
 * Checks a transaction against etcd's limits. `prefixLength` is the number of bytes prepended to each key.
 * @throws WriteError if the transaction exceeds a limit
 */
export function checkLimits(
  { what, key, conditions = [], operations }: Transaction,
  prefixLength: number,
  { requestBytes, transactionOperations }: TransactionLimits = DEFAULT_LIMITS,
): void {
  const count = Math.max(operations.length, compareCount(conditions));
  if (count > transactionOperations) {
    throw new WriteError(
      `${what}: ${count} operations, etcd takes at most ${transactionOperations} (limits.transactionOperations); nothing was sent`,
      {
        key,
      },
    );
  }
  const sizeOf = ({ length }: string): number => prefixLength + length + OPERATION_OVERHEAD;
  const written = operations.map((each) => sizeOf(each.rawKey) + (each.type === 'put' ? each.value.length : 0));
  // The key of a condition is sent twice: in the compare, and in the read for the case that it fails.
  const compared = conditions.map(({ rawKey }) => 2 * sizeOf(rawKey));
  const bytes = [...written, ...compared].reduce((sum, each) => sum + each, 0);
  if (bytes > requestBytes) {
    throw new WriteError(
      `${what}: ${bytes} bytes, etcd takes at most ${requestBytes} (limits.requestBytes); nothing was sent`,
      { key },
    );
  }
}
