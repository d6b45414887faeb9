import { ProtobufReader } from './protobuf-reader.js';
import { ProtobufWriter } from './protobuf-writer.js';

/** The answers of etcd to LeaseGrant and LeaseKeepAlive. */
export interface LeaseResponse {
  /** Decimal: ids exceed 2^53. */
  readonly id: string;
  /** 0 when the lease no longer exists. */
  readonly ttlSeconds: number;
}

export const encodeLeaseGrant = (ttlSeconds: number): Buffer => new ProtobufWriter().uint(1, ttlSeconds).finish();

/** The request of LeaseRevoke and of LeaseKeepAlive. */
export const encodeLeaseId = (id: string): Buffer => new ProtobufWriter().int64(1, id).finish();

const ID = 0x10;
const TTL = 0x18;

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
