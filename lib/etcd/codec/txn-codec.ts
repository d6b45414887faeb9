import type { KeyRecord } from '../../backend/key-record.js';
import type { Condition, Operation, Transaction } from '../../backend/key-value-store.js';
import { readKeyValue } from './key-value-codec.js';
import { ProtobufReader } from './protobuf-reader.js';
import { ProtobufWriter } from './protobuf-writer.js';
import { readHeader } from './header-codec.js';
import { endOfPrefix } from './range-codec.js';

/** The fields of an etcdserverpb.TxnResponse that a client needs. */
export interface TxnResponse {
  readonly revision: number;
  readonly succeeded: boolean;
  /** One for each operation: the number of deleted keys, or the record that was read. */
  readonly responses: readonly { readonly deleted: number; readonly record: KeyRecord | undefined }[];
}

/** Compare.CompareTarget; the result EQUAL is the default. */
const TARGET_CREATE = 1;
const TARGET_MOD = 2;
const TARGET_LEASE = 4;
/** Compare.CompareResult. */
const GREATER = 1;

/** RangeRequest.SortOrder and SortTarget. */
const DESCEND = 2;
const BY_CREATE = 2;

/** Encodes a transaction. Its failure branch reads the keys of the conditions. `prefix` is put before every key. */
export function encodeTxn(
  prefix: string,
  { conditions = [], operations, readsOnRefusal = true }: Omit<Transaction, 'what' | 'key'>,
): Buffer {
  const txn = new ProtobufWriter();
  for (const condition of conditions) {
    const key = prefix + condition.rawKey;
    if (condition.noneCreatedBefore === undefined) writeCompares(txn, key, condition);
    else writePrefixCompare(txn, key, condition.noneCreatedBefore);
  }
  for (const operation of operations) {
    txn.message(2, (request) => {
      writeOperation(request, prefix, operation);
    });
  }
  for (const { rawKey, noneCreatedBefore } of readsOnRefusal ? conditions : []) {
    txn.message(3, (request) => {
      request.message(1, (range) => {
        range.latin1(1, prefix + rawKey);
        if (noneCreatedBefore !== undefined) writeNewestBefore(range, prefix + rawKey, noneCreatedBefore);
      });
    });
  }
  return txn.finish();
}

function writeCompares(txn: ProtobufWriter, key: string, { revision, createRevision, lease }: Condition): void {
  const compare = (target: number, write: (compare: ProtobufWriter) => void): void => {
    txn.message(1, (message) => {
      write(message.uint(2, target).latin1(3, key));
    });
  };
  if (revision !== undefined) compare(TARGET_MOD, (message) => message.presentUint(6, revision));
  if (createRevision !== undefined) compare(TARGET_CREATE, (message) => message.presentUint(5, createRevision));
  if (lease !== undefined) compare(TARGET_LEASE, (message) => message.int64(8, lease));
}

/** etcd requires the comparison to hold for every key of the range, and compares 0 if there is none. */
function writePrefixCompare(txn: ProtobufWriter, key: string, first: number): void {
  txn.message(1, (message) => {
    message
      .uint(1, first === 0 ? 0 : GREATER)
      .uint(2, TARGET_CREATE)
      .latin1(3, key)
      .presentUint(5, Math.max(0, first - 1))
      .latin1(64, endOfPrefix(key));
  });
}

/** Reads the newest key that breaks the condition. A limit of 0 for the revision is none. */
function writeNewestBefore(range: ProtobufWriter, key: string, first: number): void {
  range
    .latin1(2, endOfPrefix(key))
    .uint(3, 1)
    .uint(5, DESCEND)
    .uint(6, BY_CREATE)
    .uint(13, Math.max(0, first - 1));
}

function writeOperation(request: ProtobufWriter, prefix: string, operation: Operation): void {
  const key = prefix + operation.rawKey;
  if (operation.type === 'delete') {
    request.message(3, (remove) => {
      remove.latin1(1, key);
    });
    return;
  }
  request.message(2, (put) => {
    put
      .latin1(1, key)
      .bytes(2, operation.value)
      .int64(3, operation.lease ?? '0');
  });
}

// Tags of etcd's api/etcdserverpb/rpc.proto, `fieldNumber << 3 | wireType`.
const HEADER = 0x0a;
const SUCCEEDED = 0x10;
const RESPONSE = 0x1a;
const RESPONSE_RANGE = 0x0a;
const RESPONSE_DELETE_RANGE = 0x1a;
const KV = 0x12;
const DELETED = 0x10;

export function decodeTxnResponse(bytes: Buffer, prefix: string): TxnResponse {
  const reader = new ProtobufReader(bytes);
  let revision = 0;
  let succeeded = false;
  const responses: TxnResponse['responses'][number][] = [];
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === HEADER) revision = readHeader(reader, false).revision;
    else if (tag === SUCCEEDED) succeeded = reader.bool();
    else if (tag === RESPONSE) responses.push(reader.nested(() => readResponse(reader, prefix)));
    else reader.skip(tag);
  }
  return { revision, succeeded, responses };
}

function readResponse(reader: ProtobufReader, prefix: string): TxnResponse['responses'][number] {
  let deleted = 0;
  let record: KeyRecord | undefined;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === RESPONSE_DELETE_RANGE) {
      reader.nested(() => {
        for (let inner = reader.tag(); inner !== 0; inner = reader.tag()) {
          if (inner === DELETED) deleted = reader.uint();
          else reader.skip(inner);
        }
      });
    } else if (tag === RESPONSE_RANGE) {
      reader.nested(() => {
        for (let inner = reader.tag(); inner !== 0; inner = reader.tag()) {
          if (inner === KV) record ??= readKeyValue(reader, prefix);
          else reader.skip(inner);
        }
      });
    } else {
      reader.skip(tag);
    }
  }
  return { deleted, record };
}
