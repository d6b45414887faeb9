import { ProtobufReader } from './protobuf-reader.js';
import { ProtobufWriter } from './protobuf-writer.js';

/** The fields of an etcdserverpb.StatusResponse that a client needs. */
export interface MemberStatus {
  /** Cluster and member id; empty when the server names none, as a proxy may. */
  readonly identity: string;
  /** For example `3.5.30`. */
  readonly version: string;
}

/** The request of Maintenance.Status has no fields. */
export const STATUS_REQUEST = Buffer.alloc(0);

export const encodeAuthenticate = (name: string, password: string): Buffer =>
  new ProtobufWriter().text(1, name).text(2, password).finish();

const HEADER = 0x0a;
const CLUSTER_ID = 0x08;
const MEMBER_ID = 0x10;
const VERSION = 0x12;
const TOKEN = 0x12;

export function decodeStatus(bytes: Buffer): MemberStatus {
  const reader = new ProtobufReader(bytes);
  let identity = '';
  let version = '';
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === HEADER) identity = reader.nested(() => readIdentity(reader));
    else if (tag === VERSION) version = reader.text();
    else reader.skip(tag);
  }
  return { identity, version };
}

/** The token of an AuthenticateResponse. */
export function decodeToken(bytes: Buffer): string {
  const reader = new ProtobufReader(bytes);
  let token = '';
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === TOKEN) token = reader.text();
    else reader.skip(tag);
  }
  return token;
}

function readIdentity(reader: ProtobufReader): string {
  let clusterId = '';
  let memberId = '';
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === CLUSTER_ID) clusterId = reader.decimal();
    else if (tag === MEMBER_ID) memberId = reader.decimal();
    else reader.skip(tag);
  }
  return clusterId && memberId && `${clusterId}/${memberId}`;
}
