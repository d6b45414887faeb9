import type { ConfigViolation } from '../etcd-trigger.errors.js';
import type { WatchOrigin } from '../watch/watch-event.js';
import type { ParseResult } from '../dto/dto-parser.js';
import { changedPaths } from '../dto/document-diff.js';
import { changeOf, type ConfigChange, type Shown } from './config-change.js';
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
      readonly bytes: Buffer;
      readonly result: ParseResult<T>;
    }
  | { readonly type: 'delete'; readonly key: string; readonly revision: number };

export interface ParsedBatch<T> {
  readonly origin: WatchOrigin;
  /** @default 'etcd' */
  readonly source?: 'etcd' | 'snapshot';
  readonly changes: readonly ParsedChange<T>[];
}

/** What a batch did, for listeners and for the log. */
export interface CacheStep<T> {
  readonly changes: readonly ConfigChange<T>[];
  /** Each refused write once. */
  readonly rejected: readonly {
    readonly key: string;
    readonly revision: number;
    readonly violations: readonly ConfigViolation[];
  }[];
  /** Keys whose refused write was replaced by a valid one. */
  readonly healed: readonly string[];
}

export interface ConfigCacheOptions<T> {
  readonly onDelete: 'remove' | 'keep-last';
  /** What bytes that were found valid say, as far as the class knows it: values are told apart by that. */
  readonly documentOf: (bytes: Buffer) => unknown;
  /** The default of a key, serialised and parsed like any value. */
  readonly fallback?: { readonly key: string; readonly value: T; readonly bytes: Buffer } | undefined;
}

/** The last known good values of one definition. A reader sees all of a batch or nothing of it. */
export class ConfigCache<T> {
  readonly #held = new Map<string, Held<T>>();
  readonly #readable = new SortedMap<T>();

  /** As documents: a class may keep state that no comparison of instances sees. */
  readonly #diff = (before: Buffer, after: Buffer): readonly string[] =>
    changedPaths(this.options.documentOf(before), this.options.documentOf(after));

  constructor(private readonly options: ConfigCacheOptions<T>) {
    const { fallback } = options;
    if (fallback) this.#show(fallback.key, this.#withoutWrite(fallback.key));
  }

  /** The value that readers see, `undefined` for none. */
  get(key: string): T | undefined {
    return this.#held.get(key)?.entry.value;
  }

  entry(key: string): ConfigEntry<T> {
    return this.#held.get(key)?.entry ?? ABSENT;
  }

  /** Revision of what etcd holds under the key, valid or not; 0 when it holds nothing. What a compare-and-swap has to name. */
  headRevision(key: string): number {
    return this.#held.get(key)?.head ?? 0;
  }

  /** What readers would see if the key were deleted now. */
  afterDelete(key: string): T | undefined {
    return this.#delete(this.#held.get(key), key)?.entry.value;
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

  /** All changes in one synchronous step. */
  apply({ origin, source = 'etcd', changes }: ParsedBatch<T>): CacheStep<T> {
    const step = {
      changes: [] as ConfigChange<T>[],
      rejected: [] as CacheStep<T>['rejected'][number][],
      healed: [] as string[],
    };
    for (const given of changes) {
      const { key, revision } = given;
      const before = this.#held.get(key);
      const next = given.type === 'put' ? this.#put(before, given, source) : this.#delete(before, key);
      const transition = { before: shownOf(before), after: shownOf(next), diff: this.#diff };
      const change = changeOf(transition, { key, revision, origin });
      // What readers have keeps its identity while the document says the same.
      const after = next && !change ? { ...next, entry: { ...next.entry, value: before?.entry.value } } : next;
      this.#show(key, after);
      if (change) step.changes.push(change);
      if (after?.entry.state === 'invalid' && before?.entry.rejectedRevision !== revision) {
        step.rejected.push({ key, revision, violations: after.entry.violations ?? [] });
      }
      if (after?.entry.state === 'valid' && before?.entry.state === 'invalid') step.healed.push(key);
    }
    return step;
  }

  #put(before: Held<T> | undefined, change: ParsedChange<T> & { type: 'put' }, source: 'etcd' | 'snapshot'): Held<T> {
    const { revision, bytes, result } = change;
    if (result.ok) return { entry: { value: result.value, state: 'valid', revision, source }, bytes, head: revision };
    const { value, revision: good, source: from } = before?.entry ?? ABSENT;
    const entry: ConfigEntry<T> = {
      value,
      state: 'invalid',
      revision: good,
      rejectedRevision: revision,
      source: from,
      violations: result.violations,
    };
    return { entry, bytes: before?.bytes, head: revision };
  }

  #delete(before: Held<T> | undefined, key: string): Held<T> | undefined {
    if (this.options.onDelete === 'remove' || !before || !hasGood(before.entry)) return this.#withoutWrite(key);
    const { value, revision, source } = before.entry;
    return { entry: { value, state: 'kept', revision, source }, bytes: before.bytes, head: 0 };
  }

  /** The default, or nothing. */
  #withoutWrite(key: string): Held<T> | undefined {
    const { fallback } = this.options;
    if (fallback?.key !== key) return undefined;
    const { value, bytes } = fallback;
    return { entry: { value, state: 'absent', revision: 0, source: 'default' }, bytes, head: 0 };
  }

  #show(key: string, held: Held<T> | undefined): void {
    const value = held?.entry.value;
    if (held) {
      Object.freeze(held.entry);
      held.since = performance.now();
      this.#held.set(key, held);
    } else {
      this.#held.delete(key);
    }
    if (value === undefined) this.#readable.delete(key);
    else this.#readable.set(key, value);
  }
}

interface Held<T> {
  readonly entry: ConfigEntry<T>;
  /** What `entry.value` was parsed from; `undefined` for none. */
  readonly bytes: Buffer | undefined;
  readonly head: number;
  /** By `performance.now()`. */
  since?: number;
}

const ABSENT: ConfigEntry<never> = Object.freeze({ value: undefined, state: 'absent', revision: 0, source: 'etcd' });

/** Whether its value was once read, rather than given as a default. */
const hasGood = ({ value, source }: ConfigEntry<unknown>): boolean => value !== undefined && source !== 'default';

const shownOf = <T>(held: Held<T> | undefined): Shown<T> => ({ value: held?.entry.value, bytes: held?.bytes });
