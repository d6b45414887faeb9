import type { ValueType } from '../../dto/value-type.js';
import { type ConfigViolation, InvalidConfigError, RevisionUnavailableError } from '../../etcd-trigger.errors.js';
import { rawKeyOf, type KeyRecord } from '../../backend/key-record.js';
import type { KeyValueStore } from '../../backend/key-value-store.js';
import { checkInteger, checkKnown, type OptionNames } from '../../option-checks.js';
import { recordsBefore } from './key-history.js';
import { CompactedError, FutureRevisionError } from '../../backend/list-watcher.js';
import { WRITE_NOTE, type WriteNote } from '../audit/write-note.js';
import { type ConfigWriter, type WriteResult, written } from './config-writer.js';
import { originOf } from './write-options.js';
import { LayeredFeed } from '../layers/layered-feed.js';
import { layerHistory } from './layer-history.js';
import { checkNoLayer, layerOf } from './layer-options.js';
import type { LayerWriter } from './layer-writer.js';
import type { DefinitionFeed } from '../cache/definition-feed.js';
import { quoted } from '../../foreign/foreign-text.js';

/** Value of a key from one revision on. */
export interface ConfigRevision<T> {
  readonly revision: number;
  /** Frozen; `undefined` if the current class rejects it. */
  readonly value: T | undefined;
  /** Reasons of the rejection; they contain names but never values. */
  readonly violations?: readonly ConfigViolation[];
}

/** Options of `StoreService.history`. */
export interface HistoryOptions<T extends object> {
  /**
   * Maximum number of revisions.
   * @default 10
   */
  readonly limit?: number | undefined;
  /** Expected class: sets the type of the values; the definition of the key must have the same class. */
  readonly type?: ValueType<T> | undefined;
}

/** Options of `StoreService.rollback`. */
export interface RollbackOptions extends WriteNote {
  /** Write only if the key, or the layer, was last written at this revision; 0: only if it is absent. */
  readonly ifRevision?: number | undefined;
  /**
   * For a definition with layers: the layer whose document is written again.
   * @default the key, if it is one of the layers
   */
  readonly layer?: string | undefined;
}

const ROLLBACK_OPTIONS: OptionNames<RollbackOptions> = { ifRevision: true, layer: true, ...WRITE_NOTE };
const HISTORY_OPTIONS: OptionNames<HistoryOptions<object>> = { limit: true, type: true };

/** Reads earlier values of a key from etcd's own revisions, until etcd compacts them. */
export class ConfigHistory {
  readonly #keyValue: KeyValueStore;
  readonly #writer: ConfigWriter;
  readonly #layers: LayerWriter;

  constructor(keyValue: KeyValueStore, writer: ConfigWriter, layers: LayerWriter) {
    this.#keyValue = keyValue;
    this.#writer = writer;
    this.#layers = layers;
  }

  /** Returns the newest revision first. */
  async list(feed: DefinitionFeed, key: string, options: HistoryOptions<object>): Promise<ConfigRevision<object>[]> {
    const { parser } = feed;
    const what = `history ${quoted(key)}`;
    checkKnown(options, HISTORY_OPTIONS, { owner: ` of ${what}` });
    const { limit = DEFAULT_LIMIT } = options;
    checkInteger(`${what}: limit`, limit, { min: 1, key });
    if (feed instanceof LayeredFeed)
      return layerHistory(this.#keyValue, feed, await this.#writesOf(feed, limit), limit);
    const revisions: Promise<ConfigRevision<object>>[] = [];
    // Each value is parsed when it is read, so that the event loop runs between them.
    for await (const record of this.#walk(rawKeyOf(key))) if (revisions.push(parsed(parser, record)) === limit) break;
    return Promise.all(revisions);
  }

  /** Compares with the current revision of the key: a concurrent write by another client is a conflict. */
  async rollback(
    feed: DefinitionFeed,
    key: string,
    revision: number,
    options: RollbackOptions = {},
  ): Promise<WriteResult> {
    const what = `rollback ${quoted(key)} to revision ${revision}`;
    checkInteger(`rollback ${quoted(key)}: revision`, revision, { min: 1, key });
    checkKnown(options, ROLLBACK_OPTIONS, { owner: ` of ${what}` });
    const { ifRevision } = options;
    if (ifRevision !== undefined) checkInteger(`${what}: ifRevision`, ifRevision, { min: 0, key });
    if (feed instanceof LayeredFeed) return this.#rollbackLayer(what, feed, revision, options);
    checkNoLayer(what, feed, options);
    const rawKey = rawKeyOf(key);
    const [{ record: current }, old] = await Promise.all([this.#keyValue.get(rawKey), this.#at(what, key, revision)]);
    const parsed = await feed.parser.parse(old.value);
    if (!parsed.ok) {
      throw new InvalidConfigError(`${quoted(key)} at revision ${revision}`, parsed.violations, { key, revision });
    }
    const operation = { type: 'put', rawKey, value: old.value } as const;
    const from = current?.revision ?? 0;
    const write = {
      feed,
      key,
      operation,
      expected: ifRevision ?? from,
      before: { revision: from, bytes: current?.value },
    };
    const origin = originOf(what, key, options);
    return written(await this.#writer.apply({ what, writes: [write], origin, action: 'rollback' }));
  }

  /** The whole with the old document of the layer is validated before the write. */
  async #rollbackLayer(
    what: string,
    feed: LayeredFeed,
    revision: number,
    options: RollbackOptions,
  ): Promise<WriteResult> {
    const layer = layerOf(what, feed, options);
    const rawKey = rawKeyOf(layer);
    const [{ record: current }, old] = await Promise.all([this.#keyValue.get(rawKey), this.#at(what, layer, revision)]);
    const change = { feed, layer, expected: options.ifRevision ?? current?.revision ?? 0, next: () => old.value };
    const origin = originOf(what, layer, options);
    return written(await this.#layers.apply({ what, writes: [], changes: [change], origin, action: 'rollback' }));
  }

  /** Returns the newest revisions at which a layer was written. */
  async #writesOf({ layerKeys }: LayeredFeed, limit: number): Promise<number[]> {
    const revisions: number[] = [];
    for (const layer of layerKeys) {
      const last = revisions.length + limit;
      for await (const { revision } of this.#walk(rawKeyOf(layer))) if (revisions.push(revision) === last) break;
    }
    return revisions;
  }

  async #at(what: string, key: string, revision: number): Promise<KeyRecord> {
    try {
      const { record } = await this.#keyValue.get(rawKeyOf(key), { revision });
      if (record) return record;
    } catch (error) {
      if (error instanceof CompactedError) {
        throw new RevisionUnavailableError(`${what}: etcd has compacted the revision`, { key, revision, cause: error });
      }
      if (error instanceof FutureRevisionError) {
        throw new RevisionUnavailableError(`${what}: the revision does not exist yet`, { key, revision, cause: error });
      }
      throw error;
    }
    throw new RevisionUnavailableError(`${what}: the key did not exist at that revision`, { key, revision });
  }

  async *#walk(rawKey: string): AsyncGenerator<KeyRecord, void, void> {
    try {
      yield* recordsBefore(this.#keyValue, rawKey);
    } catch (error) {
      // Older revisions are compacted.
      if (!(error instanceof CompactedError)) throw error;
    }
  }
}

const DEFAULT_LIMIT = 10;

/** Never rejects. */
async function parsed(
  parser: DefinitionFeed['parser'],
  { revision, value }: KeyRecord,
): Promise<ConfigRevision<object>> {
  const result = await parser.parse(value);
  return result.ok ? { revision, value: result.value } : { revision, value: undefined, violations: result.violations };
}
