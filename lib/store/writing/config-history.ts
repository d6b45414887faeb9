import type { Type } from '@nestjs/common';
import { type ConfigViolation, InvalidConfigError, RevisionUnavailableError } from '../../etcd-trigger.errors.js';
import { rawKeyOf, type KeyRecord } from '../../backend/key-record.js';
import type { KeyValueStore } from '../../backend/key-value-store.js';
import { checkInteger } from '../../option-checks.js';
import { lastLifeBefore } from './key-history.js';
import { CompactedError, FutureRevisionError } from '../../backend/list-watcher.js';
import { type ConfigWriter, type WriteResult, written } from './config-writer.js';
import type { DefinitionFeed } from '../cache/definition-feed.js';

/** What a key held from one revision on. */
export interface ConfigRevision<T> {
  readonly revision: number;
  /** Frozen; `undefined` when it is not valid by today's class. */
  readonly value: T | undefined;
  /** Why it is not valid: names only. */
  readonly violations?: readonly ConfigViolation[];
}

/** How far `StoreService.history` goes back. */
export interface HistoryOptions<T extends object> {
  /**
   * How many revisions at most.
   * @default 10
   */
  readonly limit?: number;
  /** The class that is expected; only for the compiler and a check that it is the one defined. */
  readonly type?: Type<T>;
}

/** Earlier values of a key, as long as etcd holds them: its own revisions are the history, so nothing is written for it. */
export class ConfigHistory {
  readonly #keyValue: KeyValueStore;
  readonly #writer: ConfigWriter;

  constructor(keyValue: KeyValueStore, writer: ConfigWriter) {
    this.#keyValue = keyValue;
    this.#writer = writer;
  }

  /** Newest first. */
  async list(
    { parser }: DefinitionFeed,
    key: string,
    { limit = DEFAULT_LIMIT }: Pick<HistoryOptions<object>, 'limit'>,
  ): Promise<ConfigRevision<object>[]> {
    checkInteger(`history "${key}": limit`, limit, { min: 1, key });
    const records: KeyRecord[] = [];
    for await (const record of this.#walk(rawKeyOf(key))) if (records.push(record) === limit) break;
    return Promise.all(
      records.map(async ({ revision, value }) => {
        const parsed = await parser.parse(value);
        return parsed.ok
          ? { revision, value: parsed.value }
          : { revision, value: undefined, violations: parsed.violations };
      }),
    );
  }

  /** Compares with what the key holds when it begins: a write by another in between is a conflict. */
  async rollback(feed: DefinitionFeed, key: string, revision: number): Promise<WriteResult> {
    const what = `rollback "${key}" to revision ${revision}`;
    checkInteger(`rollback "${key}": revision`, revision, { min: 1, key });
    const rawKey = rawKeyOf(key);
    const [{ record: current }, old] = await Promise.all([this.#keyValue.get(rawKey), this.#at(what, key, revision)]);
    const parsed = await feed.parser.parse(old.value);
    if (!parsed.ok) {
      throw new InvalidConfigError(`"${key}" at revision ${revision}`, parsed.violations, { key, revision });
    }
    const operation = { type: 'put', rawKey, value: old.value } as const;
    return written(await this.#writer.apply(what, [{ feed, key, operation, expected: current?.revision ?? 0 }]));
  }

  async #at(what: string, key: string, revision: number): Promise<KeyRecord> {
    try {
      const { record } = await this.#keyValue.get(rawKeyOf(key), { revision });
      if (record) return record;
    } catch (error) {
      if (error instanceof CompactedError) {
        throw new RevisionUnavailableError(`${what}: etcd has compacted it away`, { key, revision, cause: error });
      }
      if (error instanceof FutureRevisionError) {
        throw new RevisionUnavailableError(`${what}: there is no such revision yet`, { key, revision, cause: error });
      }
      throw error;
    }
    throw new RevisionUnavailableError(`${what}: the key did not exist then`, { key, revision });
  }

  async *#walk(rawKey: string): AsyncGenerator<KeyRecord, void, void> {
    const readAt = async (revision: number): Promise<KeyRecord | undefined> =>
      (await this.#keyValue.get(rawKey, { revision })).record;
    const { record: newest, revision: now } = await this.#keyValue.get(rawKey);
    try {
      let record = newest ?? (await lastLifeBefore(now, readAt));
      while (record) {
        yield record;
        const before = record.revision - 1;
        record = before < 1 ? undefined : ((await readAt(before)) ?? (await lastLifeBefore(before, readAt)));
      }
    } catch (error) {
      // What is older is compacted away.
      if (!(error instanceof CompactedError)) throw error;
    }
  }
}

const DEFAULT_LIMIT = 10;
