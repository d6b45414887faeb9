import { WriteError } from '../etcd-trigger.errors.js';

/** A lease as etcd granted it. */
export interface Lease {
  /** Decimal: ids exceed 2^53. Never used again by etcd. */
  readonly id: string;
  /** What etcd gave, which may be more than was asked for. */
  readonly ttlSeconds: number;
}

/** The port to etcd's leases; `lib/etcd` implements it. */
export interface LeaseStore {
  /** Sent once. A grant whose answer is lost leaves a lease that holds nothing and ends by itself. */
  grant(ttlSeconds: number): Promise<Lease>;
  /** Begins the time to live anew. Says whether the lease still exists: one that has expired never comes back. */
  renew(id: string, signal: AbortSignal): Promise<boolean>;
  /** Ends it now; its keys are deleted. One that no longer exists is no failure. */
  revoke(id: string, signal: AbortSignal): Promise<void>;
}

/** The lease of a write has expired or was revoked; nothing was changed. */
export class LeaseNotFoundError extends WriteError {
  override readonly code = 'ETCD_LEASE_NOT_FOUND';
}
