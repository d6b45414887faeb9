import { WriteError } from '../etcd-trigger.errors.js';
import type { Transaction } from './key-value.js';

/** etcd's defaults for `--max-request-bytes` and `--max-txn-ops`. */
const MAX_REQUEST_BYTES = 1.5 * 1024 * 1024;
const MAX_OPERATIONS = 128;
/** What an operation takes beside its key and value, at most. */
const OPERATION_OVERHEAD = 40;

/**
 * Looks at a transaction before it is sent; `prefixLength` is the number of bytes before each key.
 * @throws WriteError when it is larger than etcd takes
 */
export function checkLimits({ what, key, operations }: Transaction, prefixLength: number): void {
  if (operations.length > MAX_OPERATIONS) {
    throw new WriteError(
      `${what}: ${operations.length} operations, etcd takes at most ${MAX_OPERATIONS}; nothing was sent`,
      { key },
    );
  }
  const bytes = operations.reduce(
    (sum, operation) =>
      sum +
      prefixLength +
      operation.id.length +
      OPERATION_OVERHEAD +
      (operation.type === 'put' ? operation.value.length : 0),
    0,
  );
  if (bytes > MAX_REQUEST_BYTES) {
    throw new WriteError(`${what}: ${bytes} bytes, etcd takes at most ${MAX_REQUEST_BYTES}; nothing was sent`, {
      key,
    });
  }
}
