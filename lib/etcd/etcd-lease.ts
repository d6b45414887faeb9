import { type Lease, LeaseNotFoundError, type LeaseStore } from '../backend/lease-store.js';
import type { EtcdConnection } from './connection/etcd-connection.js';
import type { UnaryMethod } from './connection/member.js';

/** etcd's answers as etcd3's definitions decode them: 64-bit numbers are decimal strings. */
interface LeaseResponse {
  readonly ID: string;
  readonly TTL: string;
}

const GRANT: UnaryMethod<LeaseResponse> = { service: 'Lease', method: 'LeaseGrant' };
const REVOKE: UnaryMethod<unknown> = { service: 'Lease', method: 'LeaseRevoke' };
/**
 * A stream that carries one renewal and ends, which on the wire is what a unary call is. So each renewal has its own limit, goes to another member
 * when one is dead, and no stream between two renewals can break unnoticed.
 */
const KEEP_ALIVE: UnaryMethod<LeaseResponse> = { service: 'Lease', method: 'LeaseKeepAlive' };

/** Leases over the module's own connection. */
export class EtcdLease implements LeaseStore {
  constructor(private readonly connection: EtcdConnection) {}

  async grant(ttlSeconds: number): Promise<Lease> {
    const options = { what: 'grant a lease', idempotent: false };
    const { ID, TTL } = await this.connection.unary(GRANT, { TTL: ttlSeconds }, options);
    return { id: ID, ttlSeconds: Number(TTL) };
  }

  async renew(id: string, signal: AbortSignal): Promise<boolean> {
    const options = { what: `renew lease ${id}`, idempotent: true, signal };
    const { TTL } = await this.connection.unary(KEEP_ALIVE, { ID: id }, options);
    return Number(TTL) > 0;
  }

  async revoke(id: string, signal: AbortSignal): Promise<void> {
    try {
      await this.connection.unary(REVOKE, { ID: id }, { what: `revoke lease ${id}`, idempotent: true, signal });
    } catch (error) {
      if (!(error instanceof LeaseNotFoundError)) throw error;
    }
  }
}
