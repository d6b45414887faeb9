import type { EtcdTriggerOptions } from 'nestjs-etcd-trigger';
import { backendSourceOf } from '../../../lib/etcd/etcd-backend.js';
import type { TransactionLimits } from '../../../lib/backend/transaction-limits.js';
import { type ClusterBackend, OPEN_BACKEND } from '../../../lib/backend/cluster-backend.js';

/** Opens a backend without an application. */
export function openBackend(
  client: EtcdTriggerOptions['client'],
  keyPrefix = '',
  limits?: TransactionLimits,
): ClusterBackend & Disposable {
  const backend = backendSourceOf(client)[OPEN_BACKEND]({
    keyPrefix,
    requestTimeoutMs: 5_000,
    limits,
    activity: () => ({ backend, ranges: [], busy: [] }),
  });
  const { listWatcher, keyValue, leases, leaseClock } = backend;
  const close = (): void => {
    backend.close();
  };
  return { listWatcher, keyValue, leases, ...(leaseClock && { leaseClock }), close, [Symbol.dispose]: close };
}

/** Returns the name and the message of the error with which an attempt fails. */
export async function failureOf(attempt: Promise<unknown>): Promise<{ name: string; message: string }> {
  try {
    await attempt;
  } catch (error) {
    if (error instanceof Error) return { name: error.name, message: error.message };
  }
  throw new Error('the attempt did not fail');
}
