import type { KeyRecord } from '../../backend/key-record.js';
import { readKeyValue } from './key-value-codec.js';
import { copyBytes } from './bytes.js';
import { ProtobufReader } from './protobuf-reader.js';
import { ProtobufWriter } from './protobuf-writer.js';
import { type Header, readHeader } from './header-codec.js';

/** The keys of a request with one char a byte; the end is excluded. */
export interface RangeBounds {
  readonly key: string;
  /** Empty for the key alone, `\0` for the end of the key space. */
  readonly rangeEnd: string;
}

/** etcdserverpb.RangeRequest. */
export interface RangeRequest extends RangeBounds {
  /** 0 for no limit. */
  readonly limit: number;
  /** 0 for the newest. */
  readonly revision: number;
  readonly isSerializable?: boolean | undefined;
  readonly keysOnly?: boolean | undefined;
}

export const encodeRange = ({ key, rangeEnd, limit, revision, isSerializable, keysOnly }: RangeRequest): Buffer =>
  new ProtobufWriter()
    .latin1(1, key)
    .latin1(2, rangeEnd)
    .uint(3, limit)
    .uint(4, revision)
    .bool(7, isSerializable ?? false)
    .bool(8, keysOnly ?? false)
    .finish();

/** The first key after all keys with the prefix; `\0` is the end of the key space (etcd's rule for `range_end`). */
export function endOfPrefix(prefix: string): string {
  for (let index = prefix.length - 1; index >= 0; index -= 1) {
    const byte = prefix.charCodeAt(index);
    if (byte < 0xff) return prefix.slice(0, index) + String.fromCharCode(byte + 1);
  }
  return '\0';
}

/** etcdserverpb.RangeResponse. */
export interface RangeResponse extends Header {
  readonly records: KeyRecord[];
}

// Tags of etcd's api/etcdserverpb/rpc.proto, `fieldNumber << 3 | wireType`.
const HEADER = 0x0a;
const KV = 0x12;
const MORE = 0x18;
const TOTAL = 0x20;

/** Records are decoded from copied pieces of this size. Copying several records at once is faster than copying each value. */
const PIECE_BYTES = 8_192;
/** Shorter records hold their value as text, so they need no piece. */
const TEXT_RECORD_BYTES = 192;
const NOTHING = Buffer.alloc(0);

/** Decodes a RangeResponse. `prefix` is the cluster's key prefix. */
export function decodeRangeResponse(bytes: Buffer, prefix: string): RangeResponse {
  const page = new RangePage(bytes, prefix);
  return { revision: page.revision, clusterId: page.clusterId, records: page.records() };
}

/** A RangeResponse. The constructor decodes only what the request for the next page needs. */
export class RangePage implements Header {
  readonly revision: number;
  readonly clusterId: string;
  readonly more: boolean;
  readonly byteLength: number;
  readonly count: number;
  /** Number of keys that the member has from the start of the request to its end. */
  readonly total: number;
  /** The raw key of the last record. */
  readonly lastKey: string | undefined;
  readonly #bytes: Buffer;
  readonly #prefix: string;

  constructor(bytes: Buffer, prefix: string) {
    const reader = new ProtobufReader(bytes);
    let header: Header = { revision: 0, clusterId: '' };
    let more = false;
    let count = 0;
    let total = 0;
    let last = 0;
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      if (tag === HEADER) {
        header = readHeader(reader, true);
      } else if (tag === MORE) {
        more = reader.bool();
      } else if (tag === TOTAL) {
        total = reader.uint();
      } else {
        if (tag === KV) {
          count += 1;
          last = reader.position;
        }
        reader.skip(tag);
      }
    }
    this.#bytes = bytes;
    this.#prefix = prefix;
    this.revision = header.revision;
    this.clusterId = header.clusterId;
    this.more = more;
    this.byteLength = bytes.length;
    this.count = count;
    this.total = total;
    this.lastKey = count === 0 ? undefined : readKeyValue(reader.at(last), prefix).rawKey;
  }

  /** Decodes all records, from copied pieces of the page. A value keeps its piece in memory, not the page. */
  records(): KeyRecord[] {
    const reader = new ProtobufReader(this.#bytes);
    const page = new ProtobufReader(this.#bytes);
    const records: KeyRecord[] = [];
    let piece = new ProtobufReader(NOTHING);
    let pieceAt = 0;
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      const start = reader.position;
      reader.skip(tag);
      if (tag !== KV) continue;
      if (reader.position - start <= TEXT_RECORD_BYTES) {
        records.push(readKeyValue(page.at(start), this.#prefix));
        continue;
      }
      if (reader.position > pieceAt + piece.bytes.length) {
        pieceAt = start;
        const end = Math.max(reader.position, start + PIECE_BYTES);
        piece = new ProtobufReader(copyBytes(this.#bytes.subarray(start, end)), true);
      }
      records.push(readKeyValue(piece.at(start - pieceAt), this.#prefix));
    }
    return records;
  }
}
