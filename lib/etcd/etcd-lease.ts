import { rawKeyOf } from '../backend/key-record.js';
import { type Lease, LeaseExistsError, LeaseNotFoundError, type LeaseStore } from '../backend/lease-store.js';
import {
  decodeLeaseKeys,
  decodeLeaseResponse,
  encodeLeaseGrant,
  encodeLeaseId,
  encodeLeaseTimeToLive,
  type LeaseResponse,
} from './codec/lease-codec.js';
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

const TIME_TO_LIVE: UnaryMethod<readonly string[] | undefined> = {
  path: '/etcdserverpb.Lease/LeaseTimeToLive',
  decode: decodeLeaseKeys,
};

/** Leases over the module's own connection. */
export class EtcdLease implements LeaseStore {
  readonly #connection: EtcdConnection;
  readonly #prefix: string;

  constructor(connection: EtcdConnection, keyPrefix: string) {
    this.#connection = connection;
    this.#prefix = rawKeyOf(keyPrefix);
  }

  async grant(ttlSeconds: number): Promise<Lease> {
    const request = encodeLeaseGrant(ttlSeconds);
    return this.#connection.unary(GRANT, request, { what: 'grant a lease', isIdempotent: false });
  }

  async grantAs(id: string, ttlSeconds: number): Promise<boolean> {
    try {
      const request = encodeLeaseGrant(ttlSeconds, id);
      await this.#connection.unary(GRANT, request, { what: `grant lease ${id}`, isIdempotent: false });
      return true;
    } catch (error) {
      if (error instanceof LeaseExistsError) return false;
      throw error;
    }
  }

  async renew(id: string, signal: AbortSignal): Promise<boolean> {
    const options = { what: `renew lease ${id}`, isIdempotent: true, signal };
    return (await this.#connection.unary(KEEP_ALIVE, encodeLeaseId(id), options)).ttlSeconds > 0;
  }

  async keys(id: string, signal: AbortSignal): Promise<readonly string[] | undefined> {
    const options = { what: `read the keys of lease ${id}`, isIdempotent: true, signal };
    const keys = await this.#connection.unary(TIME_TO_LIVE, encodeLeaseTimeToLive(id), options);
    return keys?.filter((key) => key.startsWith(this.#prefix)).map((key) => key.slice(this.#prefix.length));
  }

  async revoke(id: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#connection.unary(REVOKE, encodeLeaseId(id), {
        what: `revoke lease ${id}`,
        isIdempotent: true,
        signal,
      });
    } catch (error) {
      if (!(error instanceof LeaseNotFoundError)) throw error;
    }
  }
}
