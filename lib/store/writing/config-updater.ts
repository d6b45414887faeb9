import { setTimeout as sleep } from 'node:timers/promises';
import type { KeyRecord } from '../../backend/key-record.js';
import { type ConfigWriter, plannedPut, type WriteResult, written } from './config-writer.js';
import type { DefinitionFeed } from '../cache/definition-feed.js';

/** Makes the next value from the current one; called again with what is there then when another writer came first. */
export type ConfigUpdate<T> = (current: T | undefined) => T | Promise<T>;

/** How often one update is tried. */
const MAX_TRIES = 50;

/** Read, change, compare and swap: again when another writer came first, at most 50 times, with jitter; one update of a key at a time. */
export class ConfigUpdater {
  readonly #writer: ConfigWriter;
  /** The last update of each key that is under way. */
  readonly #last = new Map<string, Promise<unknown>>();

  constructor(writer: ConfigWriter) {
    this.#writer = writer;
  }

  async update(feed: DefinitionFeed, key: string, change: ConfigUpdate<object>): Promise<WriteResult> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const updating = before.then(() => this.#update(feed, key, change));
    const ended = updating.catch(() => undefined);
    this.#last.set(key, ended);
    try {
      return await updating;
    } finally {
      if (this.#last.get(key) === ended) this.#last.delete(key);
    }
  }

  async #update(feed: DefinitionFeed, key: string, change: ConfigUpdate<object>): Promise<WriteResult> {
    let { value, revision } = { value: feed.cache.get(key), revision: feed.cache.headRevision(key) };
    for (let tries = 1; ; tries += 1) {
      const write = await plannedPut(feed, key, await change(value), revision);
      const result = await this.#writer.attempt(`update "${key}"`, [write]);
      if (result.applied) return written(result);
      if (tries === MAX_TRIES) throw result.conflict;
      // The answer to a refused transaction is a linearizable read of what stands in its way.
      value = await readable(feed, key, result.current);
      revision = result.current?.revision ?? 0;
      await sleep(Math.random() * Math.min(MAX_PAUSE_MS, 4 * 2 ** tries));
    }
  }
}

const MAX_PAUSE_MS = 200;

/** What readers see of a key that holds this: the last good value when it is not valid, the default or what was kept when it is absent. */
async function readable(
  { cache, parser }: DefinitionFeed,
  key: string,
  record: KeyRecord | undefined,
): Promise<object | undefined> {
  if (!record) return cache.afterDelete(key);
  const parsed = await parser.parse(record.value);
  return parsed.ok ? parsed.value : cache.get(key);
}
