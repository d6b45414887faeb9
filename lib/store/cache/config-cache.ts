import type { WatchOrigin } from '../../watch/watch-event.js';
import { copySecrets, secretsOf } from '../../dto/kept-document.js';
import { bufferOf, type DocumentBytes } from '../../dto/formats/document-bytes.js';
import { changedPaths } from '../../dto/document-diff.js';
import { CacheUpdate } from './cache-update.js';
import { type DocumentDiff, pathsOf, type VisibleState } from '../changes/config-change.js';
import {
  type ConfigEntry,
  type CacheEntry,
  entryOf,
  hasGoodValue,
  invalidEntry,
  now,
  type ParsedChange,
} from './cache-entry.js';
import { type ReadonlySortedMap, SortedMap } from '../../collections/sorted-map.js';

export interface ParsedBatch<T> {
  readonly origin: WatchOrigin;
  readonly changes: readonly ParsedChange<T>[];
  /**
   * True if the current values came from another cluster: none of them stays as a last good value.
   * @default false
   */
  readonly isForeign?: boolean;
  /**
   * @default true
   */
  readonly hasListeners?: boolean;
}

/** The bytes of a valid document and the revision of their write. */
export interface ConfigDocument {
  readonly key: string;
  readonly revision: number;
  readonly bytes: Buffer;
}

export interface ConfigCacheOptions<T> {
  /** Class of the values. */
  readonly type?: unknown;
  /** Index that the caches of all definitions share, so that a read is one lookup. */
  readonly index?: Map<string, CacheEntry<T>>;
  readonly onDelete: 'remove' | 'keep-last';
  /** Returns the document of a valid value, without unknown properties. Values are compared by their documents. */
  readonly documentOf: (state: VisibleState<unknown>) => unknown;
  /** Called if a comparison has thrown unexpectedly; the whole document then counts as changed. */
  readonly failed?: (error: unknown) => void;
  /** The default of a key, serialized and parsed like any value. */
  readonly fallback?: { readonly key: string; readonly value: T; readonly bytes: Buffer } | undefined;
}

/** The last good values of one definition. A batch is applied synchronously, so a reader sees all of it or nothing. */
export class ConfigCache<T> {
  /** Entries with a value, by key; includes the keys of other caches. */
  readonly #index: Map<string, CacheEntry<T>>;
  /** The values of this cache, sorted by key. */
  readonly #readable = new SortedMap<T>();
  /** Entries without a value. */
  readonly #unreadable = new Map<string, CacheEntry<T>>();
  #fallback: ConfigCacheOptions<T>['fallback'];
  /** Keys whose current value is rejected. */
  readonly #invalid = new Set<string>();

  /** Compares documents, because a class may have private state that a comparison of instances does not see. */
  readonly #diff: DocumentDiff = (before, after) => {
    const { documentOf, failed } = this.options;
    try {
      return changedPaths(documentOf(before), documentOf(after));
    } catch (error) {
      failed?.(error);
      return [''];
    }
  };

  constructor(private readonly options: ConfigCacheOptions<T>) {
    this.#index = options.index ?? new Map<string, CacheEntry<T>>();
    const { fallback } = options;
    this.#fallback = fallback;
    if (fallback) this.#set(fallback.key, this.#defaultEntry(fallback.key, now()));
  }

  get(key: string): T | undefined {
    return this.#index.get(key)?.value;
  }

  entry(key: string): ConfigEntry<T> {
    return entryOf(this.#find(key));
  }

  /**
   * Revision of the current value in etcd, valid or not; 0 if the key is absent. A compare-and-swap compares with it.
   */
  headRevision(key: string): number {
    return this.#find(key)?.head ?? 0;
  }

  /** Bytes of the current value in etcd; `undefined` if the value was rejected, or the key is absent. */
  headBytes(key: string): Buffer | undefined {
    const entry = this.#find(key);
    return entry?.state === 'valid' && entry.bytes !== undefined ? bufferOf(entry.bytes) : undefined;
  }

  /** Bytes of the value that readers see. */
  visibleBytes(key: string): DocumentBytes | undefined {
    return this.#index.get(key)?.bytes;
  }

  /** The value that readers would see if the key were deleted now. */
  afterDelete(key: string): T | undefined {
    return this.#deletedEntry(this.#find(key), key, now())?.value;
  }

  /** Milliseconds since the last change of the key's state; 0 for an unknown key. */
  ageMs(key: string): number {
    const since = this.#find(key)?.since;
    return since === undefined ? 0 : now() - since;
  }

  /** `keys`: the number of keys with a value. `invalid`: the number of keys whose current value is rejected. */
  counts(): { readonly keys: number; readonly invalid: number } {
    return { keys: this.#readable.size, invalid: this.#invalid.size };
  }

  /** Keys with a value, sorted. */
  keys(prefix = ''): string[] {
    return this.#readable.keys(prefix);
  }

  /** Values by key, sorted. */
  entries(prefix = ''): ReadonlyMap<string, T> {
    return new Map(this.#readable.entries(prefix));
  }

  /** An immutable view of the current values; the same object until they change. */
  view(): ReadonlySortedMap<T> {
    return this.#readable.view();
  }

  /** Keys with a value and keys that are known without one, in no particular order. */
  knownKeys(): string[] {
    return [...this.#readable.keys(), ...this.#unreadable.keys()];
  }

  /** Keys whose current value is rejected, sorted. */
  rejectedKeys(): string[] {
    return [...this.#invalid].sort();
  }

  /** Keys whose current value is rejected and that never had a good value from etcd, in no particular order. */
  withoutGoodValue(): string[] {
    return [...this.#invalid].filter((key) => {
      const entry = this.#find(key);
      return entry?.value === undefined || entry.source !== 'etcd';
    });
  }

  /** The documents of all values except defaults. */
  documents(): ConfigDocument[] {
    const documents: ConfigDocument[] = [];
    for (const key of this.#readable.keys()) {
      const entry = this.#index.get(key);
      if (entry?.bytes !== undefined && hasGoodValue(entry)) {
        documents.push({ key, revision: entry.revision, bytes: bufferOf(entry.bytes) });
      }
    }
    return documents;
  }

  /** Applies all changes in one synchronous step. */
  apply({ origin, changes, isForeign = false, hasListeners = true }: ParsedBatch<T>): CacheUpdate<T> {
    const update = new CacheUpdate<T>(origin, hasListeners);
    const at = now();
    // An initial list contains each key once, so no lookup is needed.
    const isFirst = origin === 'initial' && this.#isEmpty;
    for (const change of changes) {
      const before = isFirst ? undefined : this.#find(change.key);
      const next = change.state === 'valid' ? change : this.#entryWithout(change, isForeign ? undefined : before, at);
      this.#replace(update, change, before, next);
    }
    return update;
  }

  /** Entries whose value contains secrets of references, and the default if it does. */
  resolvedEntries(): CacheEntry<T>[] {
    const entries = this.#readable.keys().map((key) => this.#index.get(key));
    const { key } = this.#fallback ?? {};
    const fallback =
      key === undefined || this.#find(key)?.source === 'default' ? undefined : this.#defaultEntry(key, now());
    return [...entries, fallback].filter((entry) => entry !== undefined).filter(({ value }) => hasSecrets(value));
  }

  /** Replaces values that were parsed from the same bytes with other secrets. Ignores entries that have changed. */
  refresh(replacements: readonly { readonly entry: CacheEntry<T>; readonly value: T }[]): CacheUpdate<T> {
    const update = new CacheUpdate<T>('live', true);
    for (const { entry, value } of replacements) {
      if (entry.source === 'default' && this.#fallback) this.#fallback = { ...this.#fallback, value };
      if (this.#find(entry.key) === entry) this.#replace(update, entry, entry, { ...entry, value });
    }
    return update;
  }

  /**
   * Restores valid documents of an offline snapshot for keys without a good value. `isListed`: etcd has listed the
   * definition, so a key that is not in the cache is absent in etcd.
   */
  restore(documents: readonly (ConfigDocument & { readonly value: T })[], isListed: boolean): CacheUpdate<T> {
    const update = new CacheUpdate<T>('initial', true);
    const at = now();
    for (const document of documents) {
      const before = this.#find(document.key);
      if (before && hasGoodValue(before)) continue;
      const next = isListed ? this.#restoredAfterList(before, document, at) : this.#restored(document, 'valid', at);
      if (next) this.#replace(update, document, before, next);
    }
    return update;
  }

  /** Returns the entry after a change without a valid value; the value of `good` may stay. */
  #entryWithout(
    change: ParsedChange<T> & { readonly state: 'rejected' | 'deleted' },
    good: CacheEntry<T> | undefined,
    at: number,
  ): CacheEntry<T> | undefined {
    if (change.state === 'deleted') return this.#deletedEntry(good, change.key, at);
    return invalidEntry(good ?? this.#defaultEntry(change.key, at), change, this.options.type, at);
  }

  get #isEmpty(): boolean {
    return this.#readable.size === 0 && this.#unreadable.size === 0;
  }

  #find(key: string): CacheEntry<T> | undefined {
    return this.#index.get(key) ?? this.#unreadable.get(key);
  }

  /** Readers keep the same object as long as the document stays equal. */
  #replace(
    update: CacheUpdate<T>,
    { key, revision }: { readonly key: string; readonly revision: number },
    before: CacheEntry<T> | undefined,
    next: CacheEntry<T> | undefined,
  ): void {
    const changedPaths = pathsOf(before, next, this.#diff);
    const isSame = changedPaths.length === 0;
    const after = next && isSame ? { ...next, value: sameValue(before, next) } : next;
    this.#set(key, after);
    update.entryReplaced({ key, revision }, before, after);
    if (!isSame) update.valueChanged({ key, revision, before, after, diff: this.#diff, changedPaths });
  }

  #restoredAfterList(
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
    return { key, type, value, bytes, state, source: 'snapshot', revision, head, since, rejection: undefined };
  }

  /** The value of `good` stays if the definition keeps the last good value. */
  #deletedEntry(good: CacheEntry<T> | undefined, key: string, since: number): CacheEntry<T> | undefined {
    if (this.options.onDelete === 'remove' || !good || !hasGoodValue(good)) return this.#defaultEntry(key, since);
    return { ...good, head: 0, since, state: 'kept', rejection: undefined };
  }

  /** Returns the entry of the default; `undefined` if the key has none. */
  #defaultEntry(key: string, since: number): CacheEntry<T> | undefined {
    const { type } = this.options;
    if (this.#fallback?.key !== key) return undefined;
    const { value, bytes } = this.#fallback;
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
      rejection: undefined,
    };
  }

  #set(key: string, entry: CacheEntry<T> | undefined): void {
    if (entry?.state === 'invalid') this.#invalid.add(key);
    else this.#invalid.delete(key);
    if (entry?.value === undefined) {
      this.#readable.delete(key);
      this.#index.delete(key);
    } else {
      this.#readable.set(key, entry.value);
      this.#index.set(key, entry);
    }
    if (entry && entry.value === undefined) this.#unreadable.set(key, entry);
    else this.#unreadable.delete(key);
  }
}

const hasSecrets = (value: unknown): boolean => secretsOf(value as object | undefined) !== undefined;

/** The value that readers have, for an equal document. Its references may be others. */
function sameValue<T>(before: CacheEntry<T> | undefined, { value }: CacheEntry<T>): T | undefined {
  if (before?.value !== undefined && value !== undefined) copySecrets(value as object, before.value as object);
  return before?.value;
}
