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
  /**
   * Grants a lease with a chosen id (decimal, a positive int64), which nothing renews. Sent once, never retried. Resolves
   * with false if a lease with this id exists: after a lost answer, that is the one that was granted.
   * @throws ConnectionError if the answer was lost
   */
  grantAs(id: string, ttlSeconds: number): Promise<boolean>;
  /** Restarts the time to live. Resolves with false if the lease no longer exists. */
  renew(id: string, signal: AbortSignal): Promise<boolean>;
  /** Returns the raw keys that have the lease, `undefined` if the lease does not exist. */
  keys(id: string, signal: AbortSignal): Promise<readonly string[] | undefined>;
  /** Ends the lease and deletes its keys. Succeeds if the lease no longer exists. */
  revoke(id: string, signal: AbortSignal): Promise<void>;
}

/** A lease with the requested id exists. */
export class LeaseExistsError extends WriteError {
  override readonly code = 'ETCD_LEASE_EXISTS';
}

/** The lease of a write has expired or was revoked. Nothing was written. */
export class LeaseNotFoundError extends WriteError {
  override readonly code = 'ETCD_LEASE_NOT_FOUND';
}
