/** What is known of one key. `id` is the key with one char a byte (latin1): exact for any bytes, and compares in byte order. */
export interface KeyRecord {
  readonly id: string;
  readonly value: Buffer;
  /** Revision of the last write. */
  readonly revision: number;
  readonly createRevision: number;
  readonly version: number;
  /** Decimal; `undefined` for none. */
  readonly lease: string | undefined;
}

/** A key is gone as of `revision`. */
export interface KeyRemoval {
  readonly id: string;
  readonly value: undefined;
  readonly revision: number;
}

export type KeyChange = KeyRecord | KeyRemoval;

/** What identifies a write of a key without its value. */
export type KeyStamp = Pick<KeyRecord, 'id' | 'revision' | 'createRevision' | 'version'>;

export const keyText = (id: string): string => (isAscii(id) ? id : keyBytesOf(id).toString('utf8'));

export const keyBytesOf = (id: string): Buffer => Buffer.from(id, 'latin1');

export const keyIdOf = (key: string | Buffer): string =>
  typeof key === 'string' ? (isAscii(key) ? key : Buffer.from(key).toString('latin1')) : key.toString('latin1');

const isAscii = (text: string): boolean => !/[^ -~]/.test(text);
