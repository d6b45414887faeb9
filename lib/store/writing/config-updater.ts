import { setTimeout as sleep } from 'node:timers/promises';
import { type Fence, fencesOf } from '../../backend/fence.js';
import type { KeyRecord } from '../../backend/key-record.js';
import { WRITE_NOTE, type WriteNote } from '../audit/write-note.js';
import { type ConfigWriter, type WriteRequest, type WriteResult, written } from './config-writer.js';
import { plannedPut, type PutContent } from './key-write.js';
import { originOf } from './write-options.js';
import { KeyedQueue } from './keyed-queue.js';
import { checkNoLayer } from './layer-options.js';
import type { DefinitionFeed } from '../cache/definition-feed.js';
import { checkKnown, type OptionNames } from '../../option-checks.js';
import { quoted } from '../../foreign/foreign-text.js';

/** Returns the next value for the current one. Called again with the new current value after a conflicting write. */
export type ConfigUpdate<T, Next = T> = (current: T | undefined) => Next | Promise<Next>;

/** Options of a `StoreService.update`. */
export interface UpdateOptions extends WriteNote {
  /** Write only if this instance still owns what the fence stands for. */
  readonly fence?: Fence | undefined;
  /**
   * For a definition with layers: the layer into which the differences are written.
   * @default the key, if it is one of the layers
   */
  readonly layer?: string | undefined;
}

export const UPDATE_OPTIONS: OptionNames<UpdateOptions> = { fence: true, layer: true, ...WRITE_NOTE };

/** Attempts per update. */
export const MAX_TRIES = 50;

/** Updates a key by compare-and-swap. Retries with jitter after a conflict; runs one update per key at a time. */
export class ConfigUpdater {
  readonly #writer: ConfigWriter;
  readonly #queue = new KeyedQueue();

  constructor(writer: ConfigWriter) {
    this.#writer = writer;
  }

  async update(
    feed: DefinitionFeed,
    key: string,
    change: ConfigUpdate<object>,
    options: UpdateOptions = {},
  ): Promise<WriteResult> {
    const what = `update ${quoted(key)}`;
    checkKnown(options, UPDATE_OPTIONS, { owner: ` of ${what}` });
    checkNoLayer(what, feed, options);
    const request = { what, fences: fencesOf(what, options, key), origin: originOf(what, key, options) };
    return this.#queue.run(key, () => this.#update(feed, key, change, request));
  }

  async #update(
    feed: DefinitionFeed,
    key: string,
    change: ConfigUpdate<object>,
    request: Omit<WriteRequest, 'writes'>,
  ): Promise<WriteResult> {
    let { value, revision, bytes } = await this.#visibleState(feed, key);
    for (let tries = 1; ; tries += 1) {
      const put = await plannedPut(feed, key, contentOf(await change(value), bytes), revision);
      const writes = [{ ...put, before: { revision, bytes } }];
      const result = await this.#writer.attempt({ ...request, writes, action: 'update' });
      if (result.applied) return written(result);
      if (tries === MAX_TRIES) throw result.conflict;
      // The response of a failed compare is a linearizable read of the conflicting value.
      ({ value, revision, bytes } = await stateOf(feed, key, result.current));
      await sleep(conflictPause(tries));
    }
  }

  /** Returns what readers see. The bytes of a rejected value are not kept in memory, so it is read from etcd. */
  async #visibleState(feed: DefinitionFeed, key: string): Promise<KeyState> {
    const { cache } = feed;
    const revision = cache.headRevision(key);
    const bytes = cache.headBytes(key);
    if (revision !== 0 && bytes === undefined) return stateOf(feed, key, await this.#writer.read(key));
    return { value: cache.get(key), revision, bytes };
  }
}

/** The value that an update is computed from, and the document in etcd that its result is laid over. */
interface KeyState {
  readonly value: object | undefined;
  /** 0: the key is absent. */
  readonly revision: number;
  readonly bytes: Buffer | undefined;
}

/** Milliseconds to wait after a conflict, with jitter. */
export const conflictPause = (tries: number): number => Math.random() * Math.min(MAX_PAUSE_MS, 4 * 2 ** tries);

const MAX_PAUSE_MS = 200;

const contentOf = (value: unknown, head: Buffer | undefined): PutContent =>
  head === undefined ? { value, form: 'class' } : { value, head };

async function stateOf(feed: DefinitionFeed, key: string, record: KeyRecord | undefined): Promise<KeyState> {
  const value = await readableValue(feed, key, record);
  return { value, revision: record?.revision ?? 0, bytes: record?.value };
}

/**
 * Returns the value that readers see for a record: the last good value if it is invalid; the default or the kept value
 * if it is absent.
 */
async function readableValue(
  { cache, parser }: DefinitionFeed,
  key: string,
  record: KeyRecord | undefined,
): Promise<object | undefined> {
  if (!record) return cache.afterDelete(key);
  const parsed = await parser.parse(record.value);
  return parsed.ok ? parsed.value : cache.get(key);
}
