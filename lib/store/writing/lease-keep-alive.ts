import { BACKOFF, quietPause } from '../../timing/backoff.js';
import type { Lease, LeaseStore } from '../../backend/lease-store.js';

export interface KeepAliveOptions {
  /** Asked after each renewal: whether the lease still serves a purpose. */
  readonly isNeeded: () => boolean;
  readonly signal: AbortSignal;
  /** Milliseconds between two attempts; must resolve at once when aborted, and keep no process alive. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/**
 * Renews a lease at a third of its time to live. A renewal that fails is tried again until etcd says that the lease is gone: whether it has expired
 * during a break only etcd knows, for an election gives every lease its full time again.
 *
 * @returns `lost`: it no longer exists. `unneeded`: it does, and nobody needs it. `stopped`: by the signal.
 */
export async function keepAlive(
  lease: Lease,
  leases: LeaseStore,
  { isNeeded, signal, wait = quietPause }: KeepAliveOptions,
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
