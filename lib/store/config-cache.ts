import { isDeepStrictEqual } from 'node:util';
import type { ConfigViolation } from '../etcd-trigger.errors.js';
import type { WatchOrigin } from '../watch/watch-event.js';
import type { ParseResult } from '../dto/dto-parser.js';
import { SortedKeys } from './sorted-keys.js';

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

/** A change of what readers see. `delete`: nothing any more; a deleted key with a default is a `put` of the default. */
export interface ConfigChange<T = unknown> {
  readonly type: 'put' | 'delete';
  readonly key: string;
  readonly value?: T;
  readonly previous?: T;
  /** Revision of the write or deletion in etcd. */
  readonly revision: number;
  readonly origin: WatchOrigin;
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
  /** The default of a key, serialised and parsed like any value. */
  readonly fallback?: { readonly key: string; readonly value: T; readonly bytes: Buffer } | undefined;
}

/** The last known good values of one definition. A reader sees all of a batch or nothing of it. */
export class ConfigCache<T> {
  readonly #held = new Map<string, Held<T>>();
  readonly #readable = new SortedKeys();

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

  /** Keys that have a value for readers, sorted. */
  keys(prefix = ''): string[] {
    return this.#readable.startingWith(prefix);
  }

  /** Values by key, sorted. */
  entries(prefix = ''): ReadonlyMap<string, T> {
    const entries = new Map<string, T>();
    for (const key of this.keys(prefix)) {
      const value = this.get(key);
      if (value !== undefined) entries.set(key, value);
    }
    return entries;
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
    for (const change of changes) {
      const { key, revision } = change;
      const before = this.#held.get(key);
      const after = change.type === 'put' ? this.#put(before, change, source) : this.#delete(before, key);
      this.#show(key, after);
      const previous = before?.entry.value;
      const value = after?.entry.value;
      if (value !== previous) step.changes.push(changeOf(key, value, previous, revision, origin));
      if (after?.entry.state === 'invalid' && before?.entry.rejectedRevision !== revision) {
        step.rejected.push({ key, revision, violations: after.entry.violations ?? [] });
      }
      if (after?.entry.state === 'valid' && before?.entry.state === 'invalid') step.healed.push(key);
    }
    return step;
  }

  #put(before: Held<T> | undefined, change: ParsedChange<T> & { type: 'put' }, source: 'etcd' | 'snapshot'): Held<T> {
    const { revision, bytes, result } = change;
    if (!result.ok) {
      const { value, revision: good, source: from } = before?.entry ?? ABSENT;
      const entry: ConfigEntry<T> = {
        value,
        state: 'invalid',
        revision: good,
        rejectedRevision: revision,
        source: from,
        violations: result.violations,
      };
      return { entry: Object.freeze(entry), bytes: before?.bytes, head: revision };
    }
    const value = sameValue(before, bytes) ?? result.value;
    return { entry: Object.freeze({ value, state: 'valid', revision, source }), bytes, head: revision };
  }

  #delete(before: Held<T> | undefined, key: string): Held<T> | undefined {
    if (this.options.onDelete === 'remove' || !before || !hasGood(before.entry)) return this.#withoutWrite(key, before);
    const { value, revision, source } = before.entry;
    return { entry: Object.freeze({ value, state: 'kept', revision, source }), bytes: before.bytes, head: 0 };
  }

  /** The default, or nothing. */
  #withoutWrite(key: string, before?: Held<T>): Held<T> | undefined {
    const { fallback } = this.options;
    if (fallback?.key !== key) return undefined;
    const value = sameValue(before, fallback.bytes) ?? fallback.value;
    const entry: ConfigEntry<T> = { value, state: 'absent', revision: 0, source: 'default' };
    return { entry: Object.freeze(entry), bytes: fallback.bytes, head: 0 };
  }

  #show(key: string, held: Held<T> | undefined): void {
    if (held) this.#held.set(key, held);
    else this.#held.delete(key);
    if (held?.entry.value === undefined) this.#readable.delete(key);
    else this.#readable.add(key);
  }
}

interface Held<T> {
  readonly entry: ConfigEntry<T>;
  /** What `entry.value` was parsed from; `undefined` for none. */
  readonly bytes: Buffer | undefined;
  readonly head: number;
}

const ABSENT: ConfigEntry<never> = Object.freeze({ value: undefined, state: 'absent', revision: 0, source: 'etcd' });

/** Whether its value was once read, rather than given as a default. */
const hasGood = ({ value, source }: ConfigEntry<unknown>): boolean => value !== undefined && source !== 'default';

/** What readers have, if it was parsed from the same document: its identity stays. */
const sameValue = <T>(before: Held<T> | undefined, bytes: Buffer): T | undefined =>
  before?.bytes && isSameDocument(before.bytes, bytes) ? before.entry.value : undefined;

/** Compared as documents: a class may keep state that no comparison of instances sees. */
function isSameDocument(a: Buffer, b: Buffer): boolean {
  if (a.equals(b)) return true;
  try {
    return isDeepStrictEqual(JSON.parse(a.toString('utf8')), JSON.parse(b.toString('utf8')));
  } catch {
    return false;
  }
}

const changeOf = <T>(
  key: string,
  value: T | undefined,
  previous: T | undefined,
  revision: number,
  origin: WatchOrigin,
): ConfigChange<T> => ({
  type: value === undefined ? 'delete' : 'put',
  key,
  ...(value === undefined ? {} : { value }),
  ...(previous === undefined ? {} : { previous }),
  revision,
  origin,
});
