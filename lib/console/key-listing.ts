import { Injectable } from '@nestjs/common';
import type { ClusterRuntime } from '../module/cluster.runtime.js';
import type { ResolvedConfigDefinition } from '../store/definitions/resolved-definition.js';
import type { DefinitionFeed } from '../store/cache/definition-feed.js';
import { typeName } from '../dto/value-type.js';
import { ConsoleError } from './console-error.js';
import { quoted } from '../foreign/foreign-text.js';

/** Selection of a window of the list of keys. */
export interface KeyQuery {
  /** Key or prefix of a definition; `undefined`: all. */
  readonly definition: string | undefined;
  /** Part of the key, in any case. */
  readonly search: string | undefined;
  readonly state: string | undefined;
  readonly offset: number;
  readonly limit: number;
}

/** One key in the list. */
export interface ListedKey {
  readonly key: string;
  readonly definition: string;
  readonly type: string;
  readonly state: string;
  readonly revision: number;
  readonly rejectedRevision?: number;
  readonly source: string;
  readonly ageMs: number;
  /** Number of violations of the current value in etcd. */
  readonly violations: number;
}

/** A window of the list. */
export interface KeyWindow {
  readonly total: number;
  readonly offset: number;
  readonly keys: readonly ListedKey[];
}

/** A key with the feed of its definition. */
type Place = readonly [key: string, feed: DefinitionFeed];

/**
 * Lists the keys of a cluster. Keeps the sorted keys of the last list until a key is added or removed, so that a window
 * does not cost a sort. Does nothing while nobody asks.
 */
@Injectable()
export class KeyListing {
  readonly #sorted = new WeakMap<DefinitionFeed, SortedKeys>();
  readonly #found = new WeakMap<
    ClusterRuntime,
    { readonly id: string; readonly sources: unknown[]; places: Place[] }
  >();

  /** @throws ConsoleError for a definition that does not exist */
  window(cluster: ClusterRuntime, { definition, search, state, offset, limit }: KeyQuery): KeyWindow {
    const feeds = this.#feedsOf(cluster, definition);
    const lists = feeds.map((feed) => this.#keysOf(feed));
    const places = this.#placesOf(cluster, JSON.stringify([definition, search]), feeds, lists, search);
    const shown = state === undefined ? places : places.filter(([key, feed]) => feed.cache.entry(key).state === state);
    return { total: shown.length, offset, keys: shown.slice(offset, offset + limit).map(listed) };
  }

  #feedsOf({ feeds }: ClusterRuntime, definition: string | undefined): DefinitionFeed[] {
    const chosen = feeds.filter((feed) => definition === undefined || feed.definition.name === definition);
    if (definition === undefined || chosen.length > 0) return chosen;
    throw new ConsoleError(404, `there is no definition of ${quoted(definition)}`);
  }

  #placesOf(
    cluster: ClusterRuntime,
    id: string,
    feeds: readonly DefinitionFeed[],
    sources: string[][],
    search: string | undefined,
  ): readonly Place[] {
    const last = this.#found.get(cluster);
    const isSame = last?.id === id && last.sources.length === sources.length;
    if (isSame && last.sources.every((source, index) => source === sources[index])) return last.places;
    const wanted = search?.toLowerCase();
    const found = sources.flatMap((keys, index) => {
      const feed = feeds[index] as DefinitionFeed;
      const matching = wanted === undefined ? keys : keys.filter((key) => key.toLowerCase().includes(wanted));
      return matching.map((key): Place => [key, feed]);
    });
    // The lists of the definitions are sorted, which makes this sort a merge.
    const places = sources.length > 1 ? found.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)) : found;
    this.#found.set(cluster, { id, sources, places });
    return places;
  }

  /** Returns the same array until the keys change. */
  #keysOf(feed: DefinitionFeed): string[] {
    const { cache, definition } = feed;
    const last = this.#sorted.get(feed);
    const view = cache.view();
    const { invalid } = cache.counts();
    // Only rejected keys may have no value.
    if (last?.view === view && last.invalid === 0 && invalid === 0) return last.keys;
    const known = cache.knownKeys();
    const isSame = last?.known.length === known.length && known.every((key, index) => key === last.known[index]);
    const keys = isSame ? last.keys : sortedKeys(definition, known);
    this.#sorted.set(feed, { view, invalid, known, keys });
    return keys;
  }
}

/** The key of a definition is listed also while it is absent, so that it can be created. */
function sortedKeys({ target }: ResolvedConfigDefinition, known: readonly string[]): string[] {
  const own = 'key' in target && !known.includes(target.key) ? [target.key] : [];
  return [...known, ...own].sort();
}

interface SortedKeys {
  /** The values of the cache, which are another object after each change. */
  readonly view: object;
  readonly invalid: number;
  /** The keys in the order of the cache. */
  readonly known: readonly string[];
  readonly keys: string[];
}

function listed([key, feed]: Place): ListedKey {
  const { state, revision, rejectedRevision, source, violations = [] } = feed.cache.entry(key);
  return {
    key,
    definition: feed.definition.name,
    type: typeName(feed.definition.type),
    state,
    revision,
    ...(rejectedRevision !== undefined && { rejectedRevision }),
    source,
    ageMs: feed.cache.ageMs(key),
    violations: violations.length,
  };
}

/** Name of a codec in an answer. */
export const codecName = ({ codec }: ResolvedConfigDefinition): string =>
  typeof codec === 'string' ? codec : 'custom';
