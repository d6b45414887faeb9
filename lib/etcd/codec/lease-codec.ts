import { ProtobufReader } from './protobuf-reader.js';
import { ProtobufWriter } from './protobuf-writer.js';

/** The answers of etcd to LeaseGrant and LeaseKeepAlive. */
export interface LeaseResponse {
  /** Decimal: ids exceed 2^53. */
  readonly id: string;
  /** 0 when the lease no longer exists. */
  readonly ttlSeconds: number;
}

/** Without an id, etcd chooses one. */
export const encodeLeaseGrant = (ttlSeconds: number, id = '0'): Buffer =>
  new ProtobufWriter().uint(1, ttlSeconds).int64(2, id).finish();

/** The request of LeaseRevoke and of LeaseKeepAlive. */
export const encodeLeaseId = (id: string): Buffer => new ProtobufWriter().int64(1, id).finish();

/** The request of LeaseTimeToLive, with the keys of the lease. */
export const encodeLeaseTimeToLive = (id: string): Buffer => new ProtobufWriter().int64(1, id).bool(2, true).finish();

const ID = 0x10;
const TTL = 0x18;
const KEYS = 0x2a;

export function decodeLeaseResponse(bytes: Buffer): LeaseResponse {
  const reader = new ProtobufReader(bytes);
  let id = '0';
  let ttlSeconds = 0;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === ID) id = reader.decimal();
    else if (tag === TTL) ttlSeconds = Math.max(0, reader.int());
    else reader.skip(tag);
  }
  return { id, ttlSeconds };
}

/** Decodes the answer of etcd to LeaseTimeToLive: the raw keys, `undefined` if the lease does not exist. */
export function decodeLeaseKeys(bytes: Buffer): readonly string[] | undefined {
  const reader = new ProtobufReader(bytes);
  const keys: string[] = [];
  let ttlSeconds = 0;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === TTL) ttlSeconds = reader.int();
    else if (tag === KEYS) keys.push(reader.latin1());
    else reader.skip(tag);
  }
  return ttlSeconds < 0 ? undefined : keys;
}
