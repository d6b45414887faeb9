import {
  type KeyChange,
  type KeyRecord,
  MAX_TEXT_BYTES,
  MAX_TEXT_BYTES_IN_PIECE,
  PackedRecord,
} from '../../backend/key-record.js';
import type { KeyInterner } from './key-interner.js';
import { type ProtobufReader } from './protobuf-reader.js';

// Tags of etcd's api/mvccpb/kv.proto, `fieldNumber << 3 | wireType`.
const KEY = 0x0a;
const CREATE_REVISION = 0x10;
const MOD_REVISION = 0x18;
const VERSION = 0x20;
const VALUE = 0x2a;
const LEASE = 0x30;
const EVENT_TYPE = 0x08;
const EVENT_KV = 0x12;

/**
 * Reads the mvccpb.KeyValue at the reader's position. `prefix`, the cluster's key prefix, is removed from its key.
 * @throws RangeError if the key lacks the prefix
 */
export function readKeyValue(reader: ProtobufReader, prefix: string, interner?: KeyInterner): KeyRecord {
  const limit = reader.limit();
  const outer = reader.end;
  reader.end = limit;
  let rawKey = '';
  let value: string | Buffer = '';
  let revision = 0;
  let createRevision = 0;
  let version = 0;
  let lease: string | undefined;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === KEY) rawKey = reader.latin1(interner);
    else if (tag === CREATE_REVISION) createRevision = reader.uint();
    else if (tag === MOD_REVISION) revision = reader.uint();
    else if (tag === VERSION) version = reader.uint();
    else if (tag === VALUE) value = reader.packed(reader.isDetached ? MAX_TEXT_BYTES_IN_PIECE : MAX_TEXT_BYTES);
    else if (tag === LEASE) lease = reader.decimal();
    else reader.skip(tag);
  }
  reader.end = outer;
  return new PackedRecord(
    prefix === '' ? rawKey : withoutPrefix(rawKey, prefix),
    value,
    revision,
    createRevision,
    version,
    lease === '0' ? undefined : lease,
  );
}

/** Reads the mvccpb.Event at the reader's position. */
export function readEvent(reader: ProtobufReader, prefix: string, interner: KeyInterner): KeyChange {
  const limit = reader.limit();
  const outer = reader.end;
  reader.end = limit;
  let deleted = false;
  let record: KeyRecord | undefined;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === EVENT_TYPE) deleted = reader.uint() === 1;
    else if (tag === EVENT_KV) record = readKeyValue(reader, prefix, interner);
    else reader.skip(tag);
  }
  reader.end = outer;
  if (!record) throw new RangeError('an event in the message has no key');
  return deleted ? { rawKey: record.rawKey, value: undefined, revision: record.revision } : record;
}

function withoutPrefix(rawKey: string, prefix: string): string {
  if (!rawKey.startsWith(prefix)) throw new RangeError('a key in the message lacks the key prefix of the cluster');
  return rawKey.slice(prefix.length);
}
