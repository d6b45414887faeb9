import { createHash } from 'node:crypto';
import type { ChangeEvent } from '../../watch/stream/change-event.js';
import { parseObject, textOf } from '../members.js';

/** An event that was kept because the handler could not handle it. */
export interface ParkedRecord {
  /** The raw key. */
  readonly key: string;
  readonly type: 'put' | 'delete';
  readonly revision: number;
  readonly createRevision: number;
  readonly version: number;
  readonly attempts: number;
  /** Class of the error of the last attempt. */
  readonly error: string;
  /** When it was parked, in milliseconds since 1970. */
  readonly at: number;
  /** The value in base64. `undefined`: it is read from etcd, as long as that has the revision. */
  readonly value?: string | undefined;
  /** True from a redrive to the call. */
  readonly redrive?: boolean | undefined;
  /** The fields that a later version has stored, which are kept. */
  readonly others?: Readonly<Record<string, unknown>> | undefined;
}

/** The longest value that is stored with a parked event, in bytes. */
const MAX_VALUE_BYTES = 65_536;

/**
 * The name of a parked event: its revision and a hash of its key. An event has the same name if it is received again
 * in a list, as after a reset. The hash is long, because a deletion of a prefix may have very many keys.
 */
export const parkedName = ({ rawKey, revision }: Pick<ChangeEvent, 'rawKey' | 'revision'>): string =>
  `${revision}-${createHash('sha256').update(rawKey, 'latin1').digest('hex').slice(0, 24)}`;

export function parkedRecordOf(
  { rawKey, type, revision, createRevision, version, value }: ChangeEvent,
  { attempts, error }: { readonly attempts: number; readonly error: string },
  { mayStoreValue, at }: { readonly mayStoreValue: boolean; readonly at: number },
): ParkedRecord {
  const isStored = mayStoreValue && value !== undefined && value.length <= MAX_VALUE_BYTES;
  return {
    key: rawKey,
    type,
    revision,
    createRevision,
    version,
    attempts,
    error,
    at,
    value: isStored ? value.toString('base64') : undefined,
  };
}

export const serializeParked = ({ others, ...record }: ParkedRecord): Buffer =>
  Buffer.from(JSON.stringify({ v: 1, ...others, ...record }));

/** Returns `undefined` for a value that this version cannot read. */
export function parseParked(bytes: Buffer): ParkedRecord | undefined {
  const { v, key, type, revision, createRevision, version, attempts, error, at, value, redrive, ...others } =
    parseObject(bytes);
  const isReadable = v === 1 && typeof key === 'string' && (type === 'put' || type === 'delete');
  if (!isReadable || typeof revision !== 'number') return undefined;
  return {
    key,
    type,
    revision,
    createRevision: numberOf(createRevision),
    version: numberOf(version),
    attempts: numberOf(attempts),
    error: textOf(error),
    at: numberOf(at),
    value: typeof value === 'string' ? value : undefined,
    redrive: redrive === true ? true : undefined,
    others,
  };
}

/** The stored value; `undefined` if it is not stored. */
export const parkedValueOf = ({ value }: ParkedRecord): Buffer | undefined =>
  value === undefined ? undefined : Buffer.from(value, 'base64');

const numberOf = (value: unknown): number => (typeof value === 'number' ? value : 0);
