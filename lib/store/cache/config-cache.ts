import type { WatchOrigin } from '../../watch/watch-event.js';
import { bufferOf, type DocumentBytes } from '../../dto/formats/document-bytes.js';
import { changedPaths } from '../../dto/document-diff.js';
import { CacheUpdate } from './cache-update.js';
import { type DocumentDiff, pathsOf } from '../changes/config-change.js';
import {
  type ConfigEntry,
  entryOf,
  hasGood,
  type CacheEntry,
  now,
  type ParsedChange,
  refusedOver,
} from './cache-entry.js';
import { type ReadonlySortedMap, SortedMap } from '../../collections/sorted-map.js';

export interface ParsedBatch<T> {
  readonly origin: WatchOrigin;
  readonly changes: readonly ParsedChange<T>[];
  /**
   * What is known so far came from another cluster: none of it stays as a last good value.
   * @default false
   */
  readonly isForeign?: boolean;
  /**
   * Whether anybody listens to changes.
   * @default true
   */
  readonly isHeard?: boolean;
}

/** A valid document: the bytes that readers' value was parsed from, and the revision of the write they came with. */
export interface ConfigDocument {
  readonly key: string;
  readonly revision: number;
  readonly bytes: Buffer;
}

export interface ConfigCacheOptions<T> {
  /** The class of the values. */
  readonly type?: unknown;
  /** Where values of all caches are found by key: a read is one lookup. */
  readonly index?: Map<string, CacheEntry<T>>;
  readonly onDelete: 'remove' | 'keep-last';
  /** What bytes that were found valid say, as far as the class knows it: values are told apart by that. */
  readonly documentOf: (bytes: DocumentBytes) => unknown;
  /** The default of a key, serialised and parsed like any value. */
  readonly fallback?: { readonly key: string; readonly value: T; readonly bytes: Buffer } | undefined;
}

/** The last known good values of one definition. A reader sees all of a batch or nothing of it. */
export class ConfigCache<T> {
  /** What readers see, by key; keys of other caches are there, too. */
  readonly #index: Map<string, CacheEntry<T>>;
  /** The same in order. */
  readonly #readable = new SortedMap<T>();
  /** What is known of keys that have no value for readers. */
  readonly #unreadable = new Map<string, CacheEntry<T>>();
  /** Keys that hold what was refused. */
  readonly #invalid = new Set<string>();

  /** As documents: a class may keep state that no comparison of instances sees. */
  readonly #diff: DocumentDiff = (before, after) =>
    changedPaths(this.options.documentOf(before), this.options.documentOf(after));

  constructor(private readonly options: ConfigCacheOptions<T>) {
    this.#index = options.index ?? new Map<string, CacheEntry<T>>();
    const { fallback } = options;
    if (fallback) this.#show(fallback.key, this.#withoutWrite(fallback.key, now()));
  }

  /** The value that readers see, `undefined` for none. */
  get(key: string): T | undefined {
    return this.#index.get(key)?.value;
  }

  entry(key: string): ConfigEntry<T> {
    return entryOf(this.#held(key));
  }

  /** Revision of what etcd holds under the key, valid or not; 0 when it holds nothing. What a compare-and-swap has to name. */
  headRevision(key: string): number {
    return this.#held(key)?.head ?? 0;
  }

  /** What readers would see if the key were deleted now. */
  afterDelete(key: string): T | undefined {
    return this.#delete(this.#held(key), key, now())?.value;
  }

  /** Milliseconds since the key is as it is; 0 when nothing is known of it. */
  ageMs(key: string): number {
    const since = this.#held(key)?.since;
    return since === undefined ? 0 : now() - since;
  }

  /** How many keys readers see, and how many hold what was refused. */
  counts(): { readonly keys: number; readonly invalid: number } {
    return { keys: this.#readable.size, invalid: this.#invalid.size };
  }

  /** Keys that have a value for readers, sorted. */
  keys(prefix = ''): string[] {
    return this.#readable.keys(prefix);
  }

  /** Values by key, sorted. */
  entries(prefix = ''): ReadonlyMap<string, T> {
    return new Map(this.#readable.entries(prefix));
  }

  /** What readers see now, for good; the same object until that changes. */
  view(): ReadonlySortedMap<T> {
    return this.#readable.view();
  }

  /** Every key that something is known of, readable or not, in no order. */
  held(): string[] {
    return [...this.#readable.keys(), ...this.#unreadable.keys()];
  }

  /** Keys that hold what was refused, where etcd has not given anything better before, in no order. */
  withoutGoodValue(): string[] {
    return [...this.#invalid].filter((key) => {
      const held = this.#held(key);
      return held?.value === undefined || held.source !== 'etcd';
    });
  }

  /** The documents behind what readers see, defaults aside. */
  documents(): ConfigDocument[] {
    const documents: ConfigDocument[] = [];
    for (const key of this.#readable.keys()) {
      const held = this.#index.get(key);
      if (held?.bytes !== undefined && hasGood(held)) {
        documents.push({ key, revision: held.revision, bytes: bufferOf(held.bytes) });
      }
    }
    return documents;
  }

  /** All changes in one synchronous step. */
  apply({ origin, changes, isForeign = false, isHeard = true }: ParsedBatch<T>): CacheUpdate<T> {
    const step = new CacheUpdate<T>(origin, isHeard);
    const at = now();
    // A first list names each key once: no need to look.
    const isFirst = origin === 'initial' && this.#isEmpty;
    for (const change of changes) {
      const before = isFirst ? undefined : this.#held(change.key);
      const next = change.state === 'valid' ? change : this.#without(change, isForeign ? undefined : before, at);
      this.#move(step, change, before, next);
    }
    return step;
  }

  /**
   * Puts valid documents of an offline snapshot beneath what etcd has said: they are shown where it has said nothing, or nothing valid.
   * `isListed`: what the cache does not know is absent in etcd, rather than unknown.
   */
  restore(documents: readonly (ConfigDocument & { readonly value: T })[], isListed: boolean): CacheUpdate<T> {
    const step = new CacheUpdate<T>('initial', true);
    const at = now();
    for (const document of documents) {
      const before = this.#held(document.key);
      if (before && hasGood(before)) continue;
      const next = isListed ? this.#beneath(before, document, at) : this.#restored(document, 'valid', at);
      if (next) this.#move(step, document, before, next);
    }
    return step;
  }

  /** `good` is what may stay where the key has no valid value any more. */
  #without(
    change: ParsedChange<T> & { readonly state: 'refused' | 'deleted' },
    good: CacheEntry<T> | undefined,
    at: number,
  ): CacheEntry<T> | undefined {
    if (change.state === 'deleted') return this.#delete(good, change.key, at);
    return refusedOver(good ?? this.#withoutWrite(change.key, at), change, this.options.type, at);
  }

  get #isEmpty(): boolean {
    return this.#readable.size === 0 && this.#unreadable.size === 0;
  }

  #held(key: string): CacheEntry<T> | undefined {
    return this.#index.get(key) ?? this.#unreadable.get(key);
  }

  /** What readers have keeps its identity while the document says the same. */
  #move(
    step: CacheUpdate<T>,
    { key, revision }: { readonly key: string; readonly revision: number },
    before: CacheEntry<T> | undefined,
    next: CacheEntry<T> | undefined,
  ): void {
    const changedPaths = pathsOf(before, next, this.#diff);
    const isSame = changedPaths.length === 0;
    const after = next && isSame ? { ...next, value: before?.value } : next;
    this.#show(key, after);
    step.moved(key, before, after);
    if (!isSame) step.changed({ key, revision, before, after, diff: this.#diff, changedPaths });
  }

  #beneath(
    before: CacheEntry<T> | undefined,
    document: ConfigDocument & { readonly value: T },
    at: number,
  ): CacheEntry<T> | undefined {
    if (before?.state !== 'invalid') {
      return this.options.onDelete === 'keep-last' ? this.#restored(document, 'kept', at) : undefined;
    }
    const { value, revision, bytes } = document;
    return { ...before, value, revision, bytes, source: 'snapshot', since: at };
  }

  #restored(
    { key, value, revision, bytes }: ConfigDocument & { readonly value: T },
    state: 'valid' | 'kept',
    since: number,
  ): CacheEntry<T> {
    const head = state === 'valid' ? revision : 0;
    const { type } = this.options;
    return { key, type, value, bytes, state, source: 'snapshot', revision, head, since, refusal: undefined };
  }

  /** `good` is what may stay. */
  #delete(good: CacheEntry<T> | undefined, key: string, since: number): CacheEntry<T> | undefined {
    if (this.options.onDelete === 'remove' || !good || !hasGood(good)) return this.#withoutWrite(key, since);
    return { ...good, head: 0, since, state: 'kept', refusal: undefined };
  }

  /** The default, or nothing. */
  #withoutWrite(key: string, since: number): CacheEntry<T> | undefined {
    const { fallback, type } = this.options;
    if (fallback?.key !== key) return undefined;
    const { value, bytes } = fallback;
    return {
      key,
      type,
      value,
      bytes,
      state: 'absent',
      source: 'default',
      revision: 0,
      head: 0,
      since,
      refusal: undefined,
    };
  }

  #show(key: string, held: CacheEntry<T> | undefined): void {
    if (held?.state === 'invalid') this.#invalid.add(key);
    else this.#invalid.delete(key);
    if (held?.value === undefined) {
      this.#readable.delete(key);
      this.#index.delete(key);
    } else {
      this.#readable.set(key, held.value);
      this.#index.set(key, held);
    }
    if (held && held.value === undefined) this.#unreadable.set(key, held);
    else this.#unreadable.delete(key);
  }
}
