import type { KeyRecord } from '../watch/key-record.js';
import { readKeyValue } from './key-value-codec.js';
import { ProtobufReader } from './protobuf-reader.js';
import { type Header, readHeader } from './watch-codec.js';

/** etcdserverpb.RangeResponse. */
export interface RangeResponse extends Header {
  readonly records: KeyRecord[];
  readonly more: boolean;
  readonly byteLength: number;
}

// Tags of etcd's api/etcdserverpb/rpc.proto, `fieldNumber << 3 | wireType`.
const HEADER = 0x0a;
const KV = 0x12;
const MORE = 0x18;

/** Decodes the answer to a Range; `skip` is the number of bytes of the cluster's key prefix. */
export function decodeRangeResponse(bytes: Buffer, skip: number): RangeResponse {
  const reader = new ProtobufReader(bytes);
  const records: KeyRecord[] = [];
  let header: Header = { revision: 0, clusterId: '' };
  let more = false;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === KV) records.push(readKeyValue(reader, skip));
    else if (tag === HEADER) header = readHeader(reader, true);
    else if (tag === MORE) more = reader.bool();
    else reader.skip(tag);
  }
  return { ...header, records, more, byteLength: bytes.length };
}
