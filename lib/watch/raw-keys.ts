import { ConnectionClosedError, InvalidOptionsError, KeyNotFoundError } from '../etcd-trigger.errors.js';
import { keyBytesOf, rawKeyOf, type KeyRecord, keyText } from '../backend/key-record.js';
import type { KeyValueStore } from '../backend/key-value-store.js';
import type { KeyValue } from './watch-event.js';
import { quoted } from '../foreign/foreign-text.js';

/** Reads and writes single keys as bytes. */
export class RawKeys {
  readonly #keyValue: KeyValueStore;
  #isClosed = false;

  constructor(keyValue: KeyValueStore) {
    this.#keyValue = keyValue;
  }

  async get(key: string | Buffer): Promise<KeyValue> {
    const rawKey = this.#checkKey('get', key);
    const { record, revision } = await this.#keyValue.get(rawKey);
    if (!record) {
      throw new KeyNotFoundError(`get ${quoted(keyText(rawKey))}: etcd has no such key`, {
        key: keyText(rawKey),
        revision,
      });
    }
    return keyValueOf(record);
  }

  async put(
    key: string | Buffer,
    value: string | Buffer,
    { lease }: { readonly lease?: string },
  ): Promise<{ revision: number }> {
    const rawKey = this.#checkKey('put', key);
    const name = keyText(rawKey);
    if (typeof value !== 'string' && !Buffer.isBuffer(value)) {
      throw new InvalidOptionsError(`put ${quoted(name)}: the value must be a string or a Buffer`, { key: name });
    }
    const { revision } = await this.#keyValue.commit({
      what: `put ${quoted(name)}`,
      key: name,
      operations: [{ type: 'put', rawKey, value: Buffer.from(value), lease }],
    });
    return { revision };
  }

  async delete(key: string | Buffer): Promise<{ revision: number; deleted: number }> {
    const rawKey = this.#checkKey('delete', key);
    const name = keyText(rawKey);
    const result = await this.#keyValue.commit({
      what: `delete ${quoted(name)}`,
      key: name,
      operations: [{ type: 'delete', rawKey }],
    });
    return { revision: result.revision, deleted: result.applied ? result.deleted.length : 0 };
  }

  /** Further calls reject with `ConnectionClosedError`. */
  close(): void {
    this.#isClosed = true;
  }

  #checkKey(operation: string, key: string | Buffer): string {
    if ((typeof key !== 'string' && !Buffer.isBuffer(key)) || key.length === 0) {
      throw new InvalidOptionsError(`${operation}: the key must be a non-empty string or Buffer`);
    }
    const rawKey = rawKeyOf(key);
    if (this.#isClosed)
      throw new ConnectionClosedError(`${operation} ${quoted(keyText(rawKey))}: the module is closed`);
    return rawKey;
  }
}

/** Converts a record to its public form. */
export const keyValueOf = (record: KeyRecord): KeyValue => ({
  key: keyText(record.rawKey),
  keyBytes: keyBytesOf(record.rawKey),
  value: record.value,
  revision: record.revision,
  createRevision: record.createRevision,
  version: record.version,
  lease: record.lease,
});
