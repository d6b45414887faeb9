import type { KeyChange } from '../../backend/key-record.js';
import type { KeyInterner } from './key-interner.js';
import { readEvent } from './key-value-codec.js';
import { ProtobufReader } from './protobuf-reader.js';
import { ProtobufWriter } from './protobuf-writer.js';
import type { RangeBounds } from './range-codec.js';
import { type Header, readHeader } from './header-codec.js';

/** etcdserverpb.WatchCreateRequest. */
export interface WatchCreateRequest extends RangeBounds {
  readonly startRevision: number;
  readonly fragment: boolean;
}

/** The watch id of answers to progress requests, and of denied creates. */
export const NO_WATCH = -1;

export const encodeWatchCreate = (
  { key, rangeEnd, startRevision, fragment }: WatchCreateRequest,
  watchId: number,
): Buffer =>
  new ProtobufWriter()
    .message(1, (create) => {
      create.latin1(1, key).latin1(2, rangeEnd).uint(3, startRevision).bool(4, true).uint(7, watchId).bool(8, fragment);
    })
    .finish();

export const encodeWatchCancel = (watchId: number): Buffer =>
  new ProtobufWriter()
    .message(2, (cancel) => {
      cancel.uint(1, watchId);
    })
    .finish();

export const encodeProgressRequest = (): Buffer => new ProtobufWriter().message(3, () => undefined).finish();

/** The fields of an etcdserverpb.WatchResponse that a client needs. */
export interface WatchResponse {
  readonly revision: number;
  /** Empty except in `created` responses. */
  readonly clusterId: string;
  readonly watchId: number;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compactRevision: number;
  readonly cancelReason: string;
  readonly fragment: boolean;
  readonly changes: readonly KeyChange[];
}

// Tags of etcd's api/etcdserverpb/rpc.proto, `fieldNumber << 3 | wireType`.
const HEADER = 0x0a;
const WATCH_ID = 0x10;
const CREATED = 0x18;
const CANCELED = 0x20;
const COMPACT_REVISION = 0x28;
const CANCEL_REASON = 0x32;
const FRAGMENT = 0x38;
const EVENT = 0x5a;

const NO_CHANGES: readonly KeyChange[] = [];

/** Decodes one message of a watch stream. `prefix` is the cluster's key prefix. */
export function decodeWatchResponse(bytes: Buffer, prefix: string, interner: KeyInterner): WatchResponse {
  const reader = new ProtobufReader(bytes);
  let header: Header = { revision: 0, clusterId: '' };
  let headerAt = -1;
  let watchId = 0;
  let created = false;
  let canceled = false;
  let compactRevision = 0;
  let cancelReason = '';
  let fragment = false;
  let changes: KeyChange[] | undefined;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === EVENT) (changes ??= []).push(readEvent(reader, prefix, interner));
    else if (tag === HEADER) {
      headerAt = reader.position;
      header = readHeader(reader, false);
    } else if (tag === WATCH_ID) watchId = reader.int();
    else if (tag === CREATED) created = reader.bool();
    else if (tag === CANCELED) canceled = reader.bool();
    else if (tag === COMPACT_REVISION) compactRevision = reader.uint();
    else if (tag === CANCEL_REASON) cancelReason = reader.text();
    else if (tag === FRAGMENT) fragment = reader.bool();
    else reader.skip(tag);
  }
  if (created && headerAt >= 0) {
    reader.position = headerAt;
    header = readHeader(reader, true);
  }
  // Spreading the header is slow on Node 20.
  return {
    revision: header.revision,
    clusterId: header.clusterId,
    watchId,
    created,
    canceled,
    compactRevision,
    cancelReason,
    fragment,
    changes: changes ?? NO_CHANGES,
  };
}

/** Reads the watch id from the first bytes of an oversized message. Returns undefined if they do not contain it. */
export function watchIdOf(head: Buffer): number | undefined {
  const reader = new ProtobufReader(head);
  let watchId = 0;
  try {
    for (let tag = reader.tag(); tag !== 0 && tag !== EVENT; tag = reader.tag()) {
      if (tag === WATCH_ID) watchId = reader.int();
      else reader.skip(tag);
    }
    return watchId;
  } catch {
    return undefined;
  }
}
