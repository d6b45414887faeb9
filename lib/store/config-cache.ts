import type { ConfigViolation } from '../etcd-trigger.errors.js';
import type { WatchOrigin } from '../watch/watch-event.js';
import type { ParseResult } from '../dto/dto-parser.js';
import { bufferOf, type DocumentBytes } from '../dto/document-bytes.js';
import { changedPaths } from '../dto/document-diff.js';
import { CacheStep } from './cache-step.js';
import { type DocumentDiff, pathsOf, type Shown } from './config-change.js';
import { type ReadonlySortedMap, SortedMap } from './sorted-map.js';

/** What is known of one key. Immutable. */
export interface ConfigEntry<T> {
  /** What readers get: frozen, the same object until it changes. */
  readonly value: T | undefined;
  /**
   * `valid`: the key holds `value`. `invalid`: the key holds what was refused, `value` is the last good one, the default or nothing.
   * `kept`: the key was deleted, `value` is the last good one. `absent`: there is no such key, `value` is the default or nothing.
   */
  readonly state: 'valid' | 'invalid' | 'absent' | 'kept';
  /** Revision of the write that gave `value`; 0 for none and for a default. */
  readonly revision: number;
  /** Revision of the write that was refused, while the key holds it. */
  readonly rejectedRevision?: number;
  /** Where `value` came from. */
  readonly source: 'etcd' | 'default' | 'snapshot';
  /** Why it was refused: names only. */
  readonly violations?: readonly ConfigViolation[];
}

/** One change of a key in etcd, its value already parsed. */
export type ParsedChange<T> =
  | {
      readonly type: 'put';
      readonly key: string;
      readonly revision: number;
      readonly bytes: DocumentBytes;
      readonly result: ParseResult<T>;
    }
  | { readonly type: 'delete'; readonly key: string; readonly revision: number };

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

/** What readers see under a key, and as what. */
export interface Readable {
  readonly type: unknown;
  readonly value: unknown;
}

export interface ConfigCacheOptions<T> {
  /** The class of the values. */
  readonly type?: unknown;
  /** Where values of all caches are found by key: a read is one lookup. */
  readonly index?: Map<string, Readable>;
  readonly onDelete: 'remove' | 'keep-last';
  /** What bytes that were found valid say, as far as the class knows it: values are told apart by that. */
  readonly documentOf: (bytes: DocumentBytes) => unknown;
  /** The default of a key, serialised and parsed like any value. */
  readonly fallback?: { readonly key: string; readonly value: T; readonly bytes: Buffer } | undefined;
}

/** The last known good values of one definition. A reader sees all of a batch or nothing of it. */
export class ConfigCache<T> {
  readonly #held = new Map<string, Held<T>>();
  readonly #readable = new SortedMap<T>();

  /** As documents: a class may keep state that no comparison of instances sees. */
  readonly #diff: DocumentDiff = (before, after) =>
    changedPaths(this.options.documentOf(before), this.options.documentOf(after));

  constructor(private readonly options: ConfigCacheOptions<T>) {
    const { fallback } = options;
    if (fallback) this.#show(fallback.key, this.#withoutWrite(fallback.key), performance.now());
  }

  /** The value that readers see, `undefined` for none. */
  get(key: string): T | undefined {
    return this.#held.get(key)?.value;
  }

  entry(key: string): ConfigEntry<T> {
    return Object.freeze(this.#held.get(key)?.entry ?? ABSENT);
  }

  /** Revision of what etcd holds under the key, valid or not; 0 when it holds nothing. What a compare-and-swap has to name. */
  headRevision(key: string): number {
    return this.#held.get(key)?.head ?? 0;
  }

  /** What readers would see if the key were deleted now. */
  afterDelete(key: string): T | undefined {
    return this.#delete(this.#held.get(key), key)?.value;
  }

  /** Milliseconds since the key is as it is; 0 when nothing is known of it. */
  ageMs(key: string): number {
    const since = this.#held.get(key)?.since;
    return since === undefined ? 0 : Math.round(performance.now() - since);
  }

  /** How many keys readers see, and how many hold what was refused. */
  counts(): { readonly keys: number; readonly invalid: number } {
    let invalid = 0;
    for (const { entry } of this.#held.values()) if (entry.state === 'invalid') invalid += 1;
    return { keys: this.#readable.size, invalid };
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
    return [...this.#held.keys()];
  }

  /** Keys that hold what was refused, where etcd has not given anything better before, in no order. */
  withoutGoodValue(): string[] {
    const keys: string[] = [];
    for (const [key, { entry }] of this.#held) {
      if (entry.state === 'invalid' && (entry.value === undefined || entry.source !== 'etcd')) keys.push(key);
    }
    return keys;
  }

  /** The documents behind what readers see, defaults aside. */
  documents(): ConfigDocument[] {
    const documents: ConfigDocument[] = [];
    for (const [key, { entry, bytes }] of this.#held) {
      if (bytes !== undefined && hasGood(entry)) {
        documents.push({ key, revision: entry.revision, bytes: bufferOf(bytes) });
      }
    }
    return documents;
  }

  /** All changes in one synchronous step. */
  apply({ origin, changes, isForeign = false, isHeard = true }: ParsedBatch<T>): CacheStep<T> {
    const step = new CacheStep<T>(origin, isHeard);
    for (const change of changes) {
      const good = isForeign ? this.#withoutWrite(change.key) : this.#held.get(change.key);
      const next = change.type === 'put' ? putOver(good, change) : this.#delete(good, change.key);
      this.#move(step, change.key, change.revision, next);
    }
    return step;
  }

  /**
   * Puts valid documents of an offline snapshot beneath what etcd has said: they are shown where it has said nothing, or nothing valid.
   * `isListed`: what the cache does not know is absent in etcd, rather than unknown.
   */
  restore(documents: readonly (ConfigDocument & { readonly value: T })[], isListed: boolean): CacheStep<T> {
    const step = new CacheStep<T>('initial', true);
    for (const document of documents) {
      const before = this.#held.get(document.key);
      if (before && hasGood(before.entry)) continue;
      const next = isListed ? this.#beneath(before, document) : restored(document, 'valid');
      if (next) this.#move(step, document.key, document.revision, next);
    }
    return step;
  }

  /** What readers have keeps its identity while the document says the same. */
  #move(step: CacheStep<T>, key: string, revision: number, next: Held<T> | undefined): void {
    const before = this.#held.get(key);
    const changedPaths = pathsOf(before, next, this.#diff);
    const isSame = changedPaths.length === 0;
    const after = next && isSame ? next.with({ value: before?.value }) : next;
    this.#show(key, after, step.at);
    step.moved(key, revision, before?.entry, after?.entry);
    if (!isSame) step.changed({ key, revision, before, after, diff: this.#diff, changedPaths });
  }

  #beneath(before: Held<T> | undefined, document: ConfigDocument & { readonly value: T }): Held<T> | undefined {
    if (before?.entry.state !== 'invalid') {
      return this.options.onDelete === 'keep-last' ? restored(document, 'kept') : undefined;
    }
    const { value, revision, bytes } = document;
    return before.with({ value, revision, source: 'snapshot' }, bytes);
  }

  /** `good` is what may stay. */
  #delete(good: Held<T> | undefined, key: string): Held<T> | undefined {
    if (this.options.onDelete === 'remove' || !good || !hasGood(good.entry)) return this.#withoutWrite(key);
    const { value, revision, source } = good.entry;
    return new Held({ value, state: 'kept', revision, source }, good.bytes, 0);
  }

  /** The default, or nothing. */
  #withoutWrite(key: string): Held<T> | undefined {
    const { fallback } = this.options;
    if (fallback?.key !== key) return undefined;
    const { value, bytes } = fallback;
    return new Held({ value, state: 'absent', revision: 0, source: 'default' }, bytes, 0);
  }

  #show(key: string, held: Held<T> | undefined, now: number): void {
    const value = held?.value;
    if (held) {
      held.since = now;
      held.type = this.options.type;
      this.#held.set(key, held);
    } else {
      this.#held.delete(key);
    }
    const { index } = this.options;
    if (value === undefined) {
      this.#readable.delete(key);
      index?.delete(key);
    } else {
      this.#readable.set(key, value);
      if (held) index?.set(key, held);
    }
  }
}

class Held<T> implements Shown<T>, Readable {
  readonly value: T | undefined;
  type: unknown;
  /** By `performance.now()`. */
  since = 0;

  constructor(
    readonly entry: ConfigEntry<T>,
    /** What `entry.value` was parsed from; `undefined` for none. */
    readonly bytes: DocumentBytes | undefined,
    readonly head: number,
  ) {
    this.value = entry.value;
  }

  with(entry: Partial<ConfigEntry<T>>, bytes = this.bytes): Held<T> {
    return new Held({ ...this.entry, ...entry }, bytes, this.head);
  }
}

/** `good` is what stays when the new value is refused. */
function putOver<T>(
  good: Held<T> | undefined,
  { revision, bytes, result }: ParsedChange<T> & { type: 'put' },
): Held<T> {
  if (result.ok) {
    return new Held({ value: result.value, state: 'valid', revision, source: 'etcd' }, bytes, revision);
  }
  const { violations } = result;
  const entry = { ...(good?.entry ?? ABSENT), state: 'invalid' as const, rejectedRevision: revision, violations };
  return new Held(entry, good?.bytes, revision);
}

const restored = <T>(
  { value, revision, bytes }: ConfigDocument & { readonly value: T },
  state: 'valid' | 'kept',
): Held<T> => new Held({ value, state, revision, source: 'snapshot' }, bytes, state === 'valid' ? revision : 0);

const ABSENT: ConfigEntry<never> = Object.freeze({ value: undefined, state: 'absent', revision: 0, source: 'etcd' });

/** Whether its value was once read, rather than given as a default. */
const hasGood = ({ value, source }: ConfigEntry<unknown>): boolean => value !== undefined && source !== 'default';
