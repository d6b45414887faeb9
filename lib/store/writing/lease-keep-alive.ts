import { BACKOFF, quietPause } from '../../timing/backoff.js';
import type { Lease, LeaseStore } from '../../backend/lease-store.js';

export interface LeaseKeepAliveOptions {
  /** Called after each renewal; returns false if the lease is no longer needed. */
  readonly isNeeded: () => boolean;
  readonly signal: AbortSignal;
  /** Waits between two attempts. Must resolve immediately on abort and must not keep the process alive. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/**
 * Renews a lease after every third of its time to live. A failed renewal is retried until etcd reports that the lease
 * does not exist: an election extends every lease by its full time to live, so only etcd knows whether it has expired.
 *
 * @returns `lost`: the lease does not exist. `unneeded`: it exists, but is no longer needed. `stopped`: the signal
 * aborted
 */
export async function keepAlive(
  lease: Lease,
  leases: LeaseStore,
  { isNeeded, signal, wait = quietPause }: LeaseKeepAliveOptions,
): Promise<'lost' | 'unneeded' | 'stopped'> {
  const period = (lease.ttlSeconds * 1_000) / 3;
  let failures = 0;
  for (;;) {
    await wait(failures === 0 ? period : Math.min(period, BACKOFF.soon(failures)), signal);
    if (signal.aborted) return 'stopped';
    try {
      if (!(await leases.renew(lease.id, signal))) return 'lost';
      if (!isNeeded()) return 'unneeded';
      failures = 0;
    } catch {
      failures += 1;
    }
  }
}
