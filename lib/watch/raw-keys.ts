import { ConnectionClosedError, InvalidOptionsError, KeyNotFoundError } from '../etcd-trigger.errors.js';
import { keyBytesOf, rawKeyOf, type KeyRecord, keyText } from '../backend/key-record.js';
import { type Fence, fenceLost, type FenceRegistry, fencesOf } from '../backend/fence.js';
import type { KeyValueStore, Operation, TransactionResult } from '../backend/key-value-store.js';
import type { KeyValue } from './watch-event.js';
import { checkKnown, type OptionNames } from '../option-checks.js';
import { quoted } from '../foreign/foreign-text.js';

/** Options of a `WatcherService.put`. */
export interface RawPutOptions {
  /** Decimal id of the key's lease. */
  readonly lease?: string | undefined;
  /** Write only if this instance still owns what the fence stands for. */
  readonly fence?: Fence | undefined;
}

/** Options of a `WatcherService.delete`. */
export interface RawDeleteOptions {
  /** Delete only if this instance still owns what the fence stands for. */
  readonly fence?: Fence | undefined;
}

/** Reads and writes single keys as bytes. */
export class RawKeys {
  readonly #keyValue: KeyValueStore;
  readonly #fences: FenceRegistry;
  #isClosed = false;

  constructor(keyValue: KeyValueStore, fences: FenceRegistry) {
    this.#keyValue = keyValue;
    this.#fences = fences;
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

  async put(key: string | Buffer, value: string | Buffer, options: RawPutOptions): Promise<{ revision: number }> {
    const rawKey = this.#checkKey('put', key);
    const name = keyText(rawKey);
    if (typeof value !== 'string' && !Buffer.isBuffer(value)) {
      throw new InvalidOptionsError(`put ${quoted(name)}: the value must be a string or a Buffer`, { key: name });
    }
    const what = `put ${quoted(name)}`;
    checkKnown(options, PUT_OPTIONS, { owner: ` of ${what}` });
    const operation = { type: 'put', rawKey, value: Buffer.from(value), lease: options.lease } as const;
    const { revision } = await this.#commit(what, name, operation, options);
    return { revision };
  }

  async delete(key: string | Buffer, options: RawDeleteOptions): Promise<{ revision: number; deleted: number }> {
    const rawKey = this.#checkKey('delete', key);
    const name = keyText(rawKey);
    const what = `delete ${quoted(name)}`;
    checkKnown(options, DELETE_OPTIONS, { owner: ` of ${what}` });
    const { revision, deleted } = await this.#commit(what, name, { type: 'delete', rawKey }, options);
    return { revision, deleted: deleted.length };
  }

  /** Further calls reject with `ConnectionClosedError`. */
  close(): void {
    this.#isClosed = true;
  }

  async #commit(
    what: string,
    key: string,
    operation: Operation,
    options: { readonly fence?: Fence | undefined },
  ): Promise<TransactionResult & { readonly applied: true }> {
    const fences = fencesOf(what, options, key);
    const conditions = fences.map((fence) => this.#fences.conditionOf(what, fence));
    // There is at most one condition, so a refusal tells that the fence is lost.
    const result = await this.#keyValue.commit({
      what,
      key,
      conditions,
      operations: [operation],
      readsOnRefusal: false,
    });
    if (result.applied) return result;
    throw fenceLost(what, fences[0] as Fence, key);
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

const DELETE_OPTIONS: OptionNames<RawDeleteOptions> = { fence: true };
const PUT_OPTIONS: OptionNames<RawPutOptions> = { ...DELETE_OPTIONS, lease: true };

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
