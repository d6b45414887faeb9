import { quoted } from '../foreign/foreign-text.js';
import { isUtf8 } from 'node:buffer';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';

/**
 * The last write of a key. `rawKey` is the key with one char per byte (latin1): exact for any bytes, and ordered by
 * bytes.
 */
export interface KeyRecord {
  readonly rawKey: string;
  readonly value: Buffer;
  /** Revision of the last write. */
  readonly revision: number;
  readonly createRevision: number;
  readonly version: number;
  /** Decimal; `undefined` for none. */
  readonly lease: string | undefined;
}

/** The deletion of a key. */
export interface KeyRemoval {
  readonly rawKey: string;
  readonly value: undefined;
  readonly revision: number;
  readonly createRevision?: undefined;
}

export type KeyChange = KeyRecord | KeyRemoval;

/** Does not read `value`, whose getter may allocate a Buffer. */
export const isRemoval = (change: KeyChange): change is KeyRemoval => change.createRevision === undefined;

/** Longest value that is stored as a string. The garbage collector would have to copy longer strings. */
export const MAX_TEXT_BYTES = 1_024;

/** The same for values whose bytes are outside the heap already: about the overhead of a `Buffer`. */
export const MAX_TEXT_BYTES_IN_PIECE = 128;

/**
 * A decoded record. A short value is stored as a string with one char per byte, which takes less time and memory than a
 * separate `Buffer`. Reading the value creates the `Buffer`.
 */
export class PackedRecord implements KeyRecord {
  constructor(
    readonly rawKey: string,
    readonly packed: string | Buffer,
    readonly revision: number,
    readonly createRevision: number,
    readonly version: number,
    readonly lease: string | undefined,
  ) {}

  /** Creates a new `Buffer` each time a short value is read. */
  get value(): Buffer {
    const { packed } = this;
    return typeof packed === 'string' ? valueBytesOf(packed) : packed;
  }
}

/** The value as it is stored: a short one as a string with one char per byte. */
export const packedValueOf = (record: KeyRecord): string | Buffer =>
  record instanceof PackedRecord ? record.packed : record.value;

export function hasSameValue(a: KeyRecord, b: KeyRecord): boolean {
  const [packedA, packedB] = [packedValueOf(a), packedValueOf(b)];
  return typeof packedA === 'string' && typeof packedB === 'string' ? packedA === packedB : a.value.equals(b.value);
}

export const recordsByRawKey = (records: readonly KeyRecord[]): Map<string, KeyRecord> =>
  new Map(records.map((record) => [record.rawKey, record]));

/** Identifies a write of a key, without its value. */
export type KeyStamp = Pick<KeyRecord, 'rawKey' | 'revision' | 'createRevision' | 'version'>;

/** Compares in byte order. */
export const byRawKey = (a: { readonly rawKey: string }, b: { readonly rawKey: string }): number =>
  a.rawKey < b.rawKey ? -1 : a.rawKey > b.rawKey ? 1 : 0;

export const keyText = (rawKey: string): string => (isAscii(rawKey) ? rawKey : keyBytesOf(rawKey).toString('utf8'));

export const keyBytesOf = (rawKey: string): Buffer => Buffer.from(rawKey, 'latin1');

/** False for a key that is not UTF-8: its text has replacement characters, so other keys may have the same text. */
export const hasExactText = (rawKey: string): boolean => isAscii(rawKey) || isUtf8(keyBytesOf(rawKey));

/** For messages: a key with its bytes outside of printable ASCII as `\xff`, cut if it is long. */
export function escapedKey(rawKey: string): string {
  const shown = rawKey.length > MAX_ESCAPED ? `${rawKey.slice(0, MAX_ESCAPED)}...` : rawKey;
  return shown.replace(/[^ -~]|["\\]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** Longest key in a message, in bytes. */
const MAX_ESCAPED = 200;

/** @throws InvalidOptionsError for a string with a lone surrogate, which UTF-8 cannot represent */
export function rawKeyOf(key: string | Buffer): string {
  if (typeof key !== 'string') return key.toString('latin1');
  if (isAscii(key)) return key;
  if (/\p{Cs}/u.test(key)) {
    throw new InvalidOptionsError(
      `the key or prefix ${quoted(key)} has a lone surrogate, so it is no UTF-8: give a well-formed string or a Buffer`,
    );
  }
  return Buffer.from(key).toString('latin1');
}

const isAscii = (text: string): boolean => !/[^ -~]/.test(text);

/** Size of the chunks that short values share. A retained value keeps no more than its chunk. */
const CHUNK_BYTES = 2_048;

let chunk = Buffer.alloc(0);
let used = 0;

/**
 * Converts a string with one char per byte to a `Buffer`. Short ones share a chunk, because allocating memory dominates
 * the cost.
 */
export function valueBytesOf(text: string): Buffer {
  const { length } = text;
  if (length > CHUNK_BYTES / 4) {
    const own = Buffer.allocUnsafeSlow(length);
    own.write(text, 'latin1');
    return own;
  }
  if (used + length > chunk.length) {
    chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    used = 0;
  }
  const bytes = chunk.subarray(used, used + length);
  chunk.write(text, used, length, 'latin1');
  used += length;
  return bytes;
}
