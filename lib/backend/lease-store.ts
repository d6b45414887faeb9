import { WriteError } from '../etcd-trigger.errors.js';

/** A granted lease. */
export interface Lease {
  /** Decimal, because ids exceed 2^53. etcd never reuses an id. */
  readonly id: string;
  /** The granted time to live, which may be longer than the requested one. */
  readonly ttlSeconds: number;
}

/** The port to etcd's leases. `lib/etcd` implements it. */
export interface LeaseStore {
  /** Sent once, never retried. A grant whose answer is lost leaves an empty lease that expires. */
  grant(ttlSeconds: number): Promise<Lease>;
  /** Restarts the time to live. Resolves with false if the lease no longer exists. */
  renew(id: string, signal: AbortSignal): Promise<boolean>;
  /** Returns the raw keys that have the lease, `undefined` if the lease does not exist. */
  keys(id: string, signal: AbortSignal): Promise<readonly string[] | undefined>;
  /** Ends the lease and deletes its keys. Succeeds if the lease no longer exists. */
  revoke(id: string, signal: AbortSignal): Promise<void>;
}

/** The lease of a write has expired or was revoked. Nothing was written. */
export class LeaseNotFoundError extends WriteError {
  override readonly code = 'ETCD_LEASE_NOT_FOUND';
}
