import { WriteError } from '../etcd-trigger.errors.js';
import type { Transaction } from './key-value-store.js';

/** etcd's defaults for `--max-request-bytes` and `--max-txn-ops`. */
const MAX_REQUEST_BYTES = 1.5 * 1024 * 1024;
const MAX_OPERATIONS = 128;
/** What an operation takes beside its key and value, at most. */
const OPERATION_OVERHEAD = 40;

/**
 * Looks at a transaction before it is sent; `prefixLength` is the number of bytes before each key.
 * @throws WriteError when it is larger than etcd takes
 */
export function checkLimits({ what, key, conditions = [], operations }: Transaction, prefixLength: number): void {
  const count = Math.max(operations.length, conditions.length);
  if (count > MAX_OPERATIONS) {
    throw new WriteError(`${what}: ${count} operations, etcd takes at most ${MAX_OPERATIONS}; nothing was sent`, {
      key,
    });
  }
  const room = ({ length }: string): number => prefixLength + length + OPERATION_OVERHEAD;
  const written = operations.map((each) => room(each.rawKey) + (each.type === 'put' ? each.value.length : 0));
  // A condition is named twice: compared, and read when it does not hold.
  const compared = conditions.map(({ rawKey }) => 2 * room(rawKey));
  const bytes = [...written, ...compared].reduce((sum, each) => sum + each, 0);
  if (bytes > MAX_REQUEST_BYTES) {
    throw new WriteError(`${what}: ${bytes} bytes, etcd takes at most ${MAX_REQUEST_BYTES}; nothing was sent`, { key });
  }
}
