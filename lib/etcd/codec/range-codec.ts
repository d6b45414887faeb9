import type { KeyRecord } from '../../backend/key-record.js';
import { readKeyValue } from './key-value-codec.js';
import { copyBytes } from './bytes.js';
import { ProtobufReader } from './protobuf-reader.js';
import { type Header, readHeader } from './watch-codec.js';

/** etcdserverpb.RangeResponse. */
export interface RangeResponse extends Header {
  readonly records: KeyRecord[];
}

// Tags of etcd's api/etcdserverpb/rpc.proto, `fieldNumber << 3 | wireType`.
const HEADER = 0x0a;
const KV = 0x12;
const MORE = 0x18;

/** Bytes of the pieces that records are decoded from: copying twenty records of 300 B at once takes less time than the value of one by itself. */
const PIECE_BYTES = 8_192;
/** Of records so short the value is a text, for which no piece is needed: that saves a twentieth of the time. */
const TEXT_RECORD_BYTES = 192;
const NOTHING = Buffer.alloc(0);

/** Decodes the answer to a Range; `skip` is the number of bytes of the cluster's key prefix. */
export function decodeRangeResponse(bytes: Buffer, prefixLength: number): RangeResponse {
  const page = new RangePage(bytes, prefixLength);
  return { revision: page.revision, clusterId: page.clusterId, records: page.records() };
}

/** The answer to a Range, of which only as much is decoded as it takes to ask for the next page. */
export class RangePage implements Header {
  readonly revision: number;
  readonly clusterId: string;
  readonly more: boolean;
  readonly byteLength: number;
  readonly count: number;
  /** Of the last record; `undefined` when there is none. */
  readonly lastId: string | undefined;
  readonly #bytes: Buffer;
  readonly #prefixLength: number;

  constructor(bytes: Buffer, skip: number) {
    const reader = new ProtobufReader(bytes);
    let header: Header = { revision: 0, clusterId: '' };
    let more = false;
    let count = 0;
    let last = 0;
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      if (tag === HEADER) {
        header = readHeader(reader, true);
      } else if (tag === MORE) {
        more = reader.bool();
      } else {
        if (tag === KV) {
          count += 1;
          last = reader.position;
        }
        reader.skip(tag);
      }
    }
    this.#bytes = bytes;
    this.#prefixLength = skip;
    this.revision = header.revision;
    this.clusterId = header.clusterId;
    this.more = more;
    this.byteLength = bytes.length;
    this.count = count;
    this.lastId = count === 0 ? undefined : readKeyValue(reader.at(last), skip).rawKey;
  }

  /** All of them, decoded now, from copies of parts of the page: a value that is kept keeps such a piece, and not the page. */
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
        records.push(readKeyValue(page.at(start), this.#prefixLength));
        continue;
      }
      if (reader.position > pieceAt + piece.bytes.length) {
        pieceAt = start;
        const end = Math.max(reader.position, start + PIECE_BYTES);
        piece = new ProtobufReader(copyBytes(this.#bytes.subarray(start, end)), true);
      }
      records.push(readKeyValue(piece.at(start - pieceAt), this.#prefixLength));
    }
    return records;
  }
}
