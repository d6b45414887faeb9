import { type Lease, LeaseNotFoundError, type LeaseStore } from '../backend/lease-store.js';
import { decodeLeaseResponse, encodeLeaseGrant, encodeLeaseId, type LeaseResponse } from './codec/lease-codec.js';
import type { EtcdConnection, UnaryMethod } from './connection/etcd-connection.js';

const method = (name: string): UnaryMethod<LeaseResponse> => ({
  path: `/etcdserverpb.Lease/${name}`,
  decode: decodeLeaseResponse,
});

const GRANT = method('LeaseGrant');
const REVOKE = method('LeaseRevoke');
/**
 * A stream that carries one request and ends, which on the wire is a unary call. So each renewal has its own limit, and
 * no stream between two renewals can break unnoticed.
 */
const KEEP_ALIVE = method('LeaseKeepAlive');

/** Leases over the module's own connection. */
export class EtcdLease implements LeaseStore {
  constructor(private readonly connection: EtcdConnection) {}

  async grant(ttlSeconds: number): Promise<Lease> {
    const request = encodeLeaseGrant(ttlSeconds);
    return this.connection.unary(GRANT, request, { what: 'grant a lease', isIdempotent: false });
  }

  async renew(id: string, signal: AbortSignal): Promise<boolean> {
    const options = { what: `renew lease ${id}`, isIdempotent: true, signal };
    return (await this.connection.unary(KEEP_ALIVE, encodeLeaseId(id), options)).ttlSeconds > 0;
  }

  async revoke(id: string, signal: AbortSignal): Promise<void> {
    try {
      await this.connection.unary(REVOKE, encodeLeaseId(id), {
        what: `revoke lease ${id}`,
        isIdempotent: true,
        signal,
      });
    } catch (error) {
      if (!(error instanceof LeaseNotFoundError)) throw error;
    }
  }
}
