import type { ConfigOrigin, ConfigViolation } from '../../etcd-trigger.errors.js';
import type { ParseResult } from '../../dto/dto-parser.js';
import type { DocumentBytes } from '../../dto/formats/document-bytes.js';
import type { VisibleState } from '../changes/config-change.js';

/** State of one key. Immutable. */
export interface ConfigEntry<T> {
  /** Frozen; the same object until the configuration changes. */
  readonly value: T | undefined;
  /**
   * `valid`: `value` is the current value of the key. `invalid`: the current value was rejected; `value` is the last
   * good value, the default or `undefined`. `kept`: the key was deleted; `value` is the last good value. `absent`: the
   * key does not exist; `value` is the default or `undefined`.
   */
  readonly state: 'valid' | 'invalid' | 'absent' | 'kept';
  /** Revision of the write of `value`; 0 if there is no value, and for a default. */
  readonly revision: number;
  /** Revision of the current value, if it was rejected. */
  readonly rejectedRevision?: number;
  /** Origin of `value`. */
  readonly source: 'etcd' | 'default' | 'snapshot';
  /** Reasons of the rejection; they contain names but never values. */
  readonly violations?: readonly ConfigViolation[];
  /**
   * For a definition with layers or an override: the origin of each property of `value`, by path, such as `pool.max`.
   * Arrays and empty objects are listed as a whole.
   */
  readonly from?: Readonly<Record<string, ConfigOrigin>>;
  /** For a definition with layers or an override: its layers, as they were last read. */
  readonly layers?: readonly ConfigLayer[];
}

/** One layer of a configuration. */
export interface ConfigLayer {
  readonly key: string;
  /** Revision of the last write of its document, for `ifRevision`; 0 if there is none. */
  readonly revision: number;
}

/** A write whose value was rejected. */
interface Rejection {
  readonly revision: number;
  readonly violations: readonly ConfigViolation[];
}

/**
 * The state of one key with its source, in one flat object that the parser creates directly. The garbage collector
 * copies every object that outlives a list twice while the list is read, so separate objects for the change, its result
 * and its entry, or a fractional time, would cost noticeable time and memory per key.
 */
export interface CacheEntry<T> extends VisibleState<T> {
  readonly key: string;
  /** Class of the value. */
  readonly type: unknown;
  /** Value that readers see. */
  readonly value: T | undefined;
  /** Bytes that `value` was parsed from; `undefined` without a value. */
  readonly bytes: DocumentBytes | undefined;
  readonly state: ConfigEntry<T>['state'];
  readonly source: ConfigEntry<T>['source'];
  /** Revision of the write of `value`. */
  readonly revision: number;
  /** Revision of the current value in etcd, valid or not; 0 if the key is absent. */
  readonly head: number;
  /** Time of the last change of the state, in whole milliseconds of `performance.now()`. */
  readonly since: number;
  /** Set while the current value in etcd is rejected. */
  readonly rejection: Rejection | undefined;
}

/** A change of a key in etcd with its parsed value. */
export type ParsedChange<T> =
  | (CacheEntry<T> & { readonly state: 'valid' })
  | {
      readonly state: 'rejected';
      readonly key: string;
      readonly revision: number;
      readonly violations: readonly ConfigViolation[];
    }
  | { readonly state: 'deleted'; readonly key: string; readonly revision: number };

export interface Write {
  readonly key: string;
  readonly revision: number;
  readonly bytes: DocumentBytes;
}

export function parsedPut<T>(
  { key, revision, bytes }: Write,
  result: ParseResult<T>,
  type: unknown,
  since: number,
): ParsedChange<T> {
  if (!result.ok) return { state: 'rejected', key, revision, violations: result.violations };
  const { value } = result;
  return {
    key,
    type,
    value,
    bytes,
    state: 'valid',
    source: 'etcd',
    revision,
    head: revision,
    since,
    rejection: undefined,
  };
}

/** Returns the entry after a rejected write; its value is that of `good`. */
export function invalidEntry<T>(
  good: CacheEntry<T> | undefined,
  { key, revision: head, violations }: ParsedChange<T> & { readonly state: 'rejected' },
  type: unknown,
  since: number,
): CacheEntry<T> {
  const { value, bytes, source, revision } = good ?? EMPTY;
  const rejection = { revision: head, violations };
  return { key, type, value, bytes, state: 'invalid', source, revision, head, since, rejection };
}

/** Returns whole milliseconds: V8 stores a fraction in a separate object, which would be one more object per key. */
export const now = (): number => Math.round(performance.now());

/** Returns the public part of an entry. */
export function entryOf<T>({ value, state, revision, source, rejection }: CacheEntry<T> = EMPTY): ConfigEntry<T> {
  const rejected = rejection && { rejectedRevision: rejection.revision, violations: rejection.violations };
  return Object.freeze({ value, state, revision, source, ...rejected });
}

/** True if the value was read from etcd or a snapshot; false for a default. */
export const hasGoodValue = ({ value, source }: CacheEntry<unknown>): boolean =>
  value !== undefined && source !== 'default';

const EMPTY: CacheEntry<never> = {
  key: '',
  type: undefined,
  value: undefined,
  bytes: undefined,
  state: 'absent',
  source: 'etcd',
  revision: 0,
  head: 0,
  since: 0,
  rejection: undefined,
};
