import type { ConfigViolation } from '../../etcd-trigger.errors.js';
import type { ParseResult } from '../../dto/dto-parser.js';
import type { DocumentBytes } from '../../dto/formats/document-bytes.js';
import type { Shown } from '../changes/config-change.js';

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

/** A write that was refused. */
interface Refusal {
  readonly revision: number;
  readonly violations: readonly ConfigViolation[];
}

/**
 * What a cache holds of one key: its entry and what the entry comes from, in one flat object, which a valid document becomes when it is parsed. Whatever outlives
 * a list is copied twice by the garbage collector while the list is read: objects of their own for the change, its result and its entry, and a time that is no
 * whole number, took 180 bytes a key more.
 */
export interface CacheEntry<T> extends Shown<T> {
  readonly key: string;
  /** The class of the value. */
  readonly type: unknown;
  /** What readers see. */
  readonly value: T | undefined;
  /** What `value` was parsed from; `undefined` for none. */
  readonly bytes: DocumentBytes | undefined;
  readonly state: ConfigEntry<T>['state'];
  readonly source: ConfigEntry<T>['source'];
  /** Of the write that gave `value`. */
  readonly revision: number;
  /** Revision of what etcd holds, valid or not; 0 when it holds nothing. */
  readonly head: number;
  /** In whole milliseconds of `performance.now()`. */
  readonly since: number;
  /** Of the write that etcd holds. */
  readonly refusal: Refusal | undefined;
}

/** One change of a key in etcd, its value already parsed. */
export type ParsedChange<T> =
  | (CacheEntry<T> & { readonly state: 'valid' })
  | {
      readonly state: 'refused';
      readonly key: string;
      readonly revision: number;
      readonly violations: readonly ConfigViolation[];
    }
  | { readonly state: 'deleted'; readonly key: string; readonly revision: number };

/** A write of a key, with the bytes of its document. */
export interface Write {
  readonly key: string;
  readonly revision: number;
  readonly bytes: DocumentBytes;
}

/** A write, parsed. */
export function parsedPut<T>(
  { key, revision, bytes }: Write,
  result: ParseResult<T>,
  type: unknown,
  since: number,
): ParsedChange<T> {
  if (!result.ok) return { state: 'refused', key, revision, violations: result.violations };
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
    refusal: undefined,
  };
}

/** What is known after a write that was refused. `good` is what stays. */
export function refusedOver<T>(
  good: CacheEntry<T> | undefined,
  { key, revision: head, violations }: ParsedChange<T> & { readonly state: 'refused' },
  type: unknown,
  since: number,
): CacheEntry<T> {
  const { value, bytes, source, revision } = good ?? NOTHING;
  const refusal = { revision: head, violations };
  return { key, type, value, bytes, state: 'invalid', source, revision, head, since, refusal };
}

/** Whole milliseconds: a fraction would be an object of its own for every key. */
export const now = (): number => Math.round(performance.now());

/** As callers of the store get it. */
export function entryOf<T>({ value, state, revision, source, refusal }: CacheEntry<T> = NOTHING): ConfigEntry<T> {
  const rejected = refusal && { rejectedRevision: refusal.revision, violations: refusal.violations };
  return Object.freeze({ value, state, revision, source, ...rejected });
}

/** Whether its value was once read, rather than given as a default. */
export const hasGood = ({ value, source }: CacheEntry<unknown>): boolean => value !== undefined && source !== 'default';

const NOTHING: CacheEntry<never> = {
  key: '',
  type: undefined,
  value: undefined,
  bytes: undefined,
  state: 'absent',
  source: 'etcd',
  revision: 0,
  head: 0,
  since: 0,
  refusal: undefined,
};
