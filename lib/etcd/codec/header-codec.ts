import { type ProtobufReader } from './protobuf-reader.js';

/** The fields of an etcdserverpb.ResponseHeader that a client needs. */
export interface Header {
  readonly revision: number;
  readonly clusterId: string;
}

const CLUSTER_ID = 0x08;
const REVISION = 0x18;

/** Reads the etcdserverpb.ResponseHeader at the reader's position. */
export function readHeader(reader: ProtobufReader, withCluster: boolean): Header {
  const limit = reader.limit();
  const outer = reader.end;
  reader.end = limit;
  let revision = 0;
  let clusterId = '';
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === REVISION) revision = reader.uint();
    else if (tag === CLUSTER_ID && withCluster) clusterId = reader.decimal();
    else reader.skip(tag);
  }
  reader.end = outer;
  return { revision, clusterId };
}
