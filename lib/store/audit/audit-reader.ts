import { KeyRange } from '../../backend/key-range.js';
import { byRawKey, keyText, type KeyStamp } from '../../backend/key-record.js';
import type { KeyValueStore } from '../../backend/key-value-store.js';
import type { ListWatcher } from '../../backend/list-watcher.js';
import { quoted } from '../../foreign/foreign-text.js';
import type { InstanceLog } from '../../etcd-trigger.log.js';
import { checkInteger, checkKnown, type OptionNames } from '../../option-checks.js';
import { readTogether } from '../layers/read-together.js';
import { type AuditRecord, parseRecord } from './audit-record.js';

/** Options of `StoreService.audit`. */
export interface AuditQuery {
  /**
   * Maximum number of records.
   * @default 50
   */
  readonly limit?: number | undefined;
}

const AUDIT_QUERY: OptionNames<AuditQuery> = { limit: true };

export interface AuditReaderOptions {
  readonly listWatcher: Pick<ListWatcher, 'stamps'>;
  readonly keyValue: Pick<KeyValueStore, 'commit'>;
  /** With a trailing slash. */
  readonly prefix: string;
  /** The largest number of compares of a transaction. */
  readonly transactionOperations: number;
  /** Ends the lists when the module closes. */
  readonly signal: AbortSignal;
  readonly log: InstanceLog;
}

/** Reads the records of a key. */
export class AuditReader {
  readonly #options: AuditReaderOptions;
  /** Keys whose unreadable records were reported. */
  readonly #reported = new Set<string>();

  constructor(options: AuditReaderOptions) {
    this.#options = options;
  }

  /** Returns the newest records first. `keys` are those whose records count as records of `key`. */
  async read(key: string, keys: readonly string[], query: AuditQuery): Promise<AuditRecord[]> {
    const what = `audit ${quoted(key)}`;
    checkKnown(query, AUDIT_QUERY, { owner: ` of ${what}` });
    const { limit = DEFAULT_LIMIT } = query;
    checkInteger(`${what}: limit`, limit, { min: 1, key });
    const found = (await Promise.all(keys.map((each) => this.#foundOf(each)))).flat();
    const newest = found.sort((a, b) => b.stamp.revision - a.stamp.revision || byRawKey(a.stamp, b.stamp));
    const records: AuditRecord[] = [];
    let unreadable = 0;
    const size = Math.min(READ_TOGETHER, this.#options.transactionOperations);
    for (let at = 0; at < newest.length && records.length < limit; at += size) {
      const read = await this.#recordsOf(what, newest.slice(at, at + size));
      records.push(...read.filter((record) => record !== undefined));
      unreadable += read.filter((record) => record === undefined).length;
    }
    if (unreadable > 0) this.#report(what, unreadable);
    return records.slice(0, limit);
  }

  /** A further slash belongs to a longer key, such as `/a/b` for `/a`. */
  async #foundOf(key: string): Promise<FoundRecord[]> {
    const { listWatcher, prefix, signal } = this.#options;
    const range = KeyRange.of({ prefix: `${prefix}${key}/` });
    const { stamps } = await listWatcher.stamps(range, { signal });
    return stamps
      .map((stamp) => ({ key, stamp, name: stamp.rawKey.slice(range.rawKey.length) }))
      .filter(({ name }) => !name.includes('/'));
  }

  /** A record that has expired in the meantime is left out; `undefined` stands for one that is not readable. */
  async #recordsOf(what: string, part: readonly FoundRecord[]): Promise<(AuditRecord | undefined)[]> {
    const { layers } = await readTogether(
      this.#options.keyValue,
      what,
      part.map(({ stamp }) => keyText(stamp.rawKey)),
    );
    return part.flatMap(({ key, stamp, name }, index) => {
      const { bytes } = layers[index] ?? {};
      if (bytes === undefined) return [];
      // Each record is written once.
      const content = stamp.version === 1 && UUID.test(name) ? parseRecord(bytes) : undefined;
      return [content && { key, revision: stamp.revision, ...content }];
    });
  }

  #report(what: string, count: number): void {
    if (this.#reported.size >= MAX_REPORTED || this.#reported.has(what)) return;
    this.#reported.add(what);
    this.#options.log.warn(
      `${what}: ${count} of the keys under its prefix are not records of this library and are left out`,
    );
  }
}

const DEFAULT_LIMIT = 50;
/** Number of records in one request; each has at most a few KiB. */
const READ_TOGETHER = 64;
const MAX_REPORTED = 1_000;

/** A key under the prefix of an audited key. */
interface FoundRecord {
  readonly key: string;
  readonly stamp: KeyStamp;
  /** The part of the key after the prefix. */
  readonly name: string;
}

const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;
