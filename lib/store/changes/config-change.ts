import { type DocumentBytes, isSameBytes } from '../../dto/formats/document-bytes.js';
import type { WatchOrigin } from '../../watch/watch-event.js';

/** A change of what readers see. Frozen. */
export type ConfigChange<T = unknown> = ConfigPut<T> | ConfigDelete<T>;

/** There is a value now, or another one. */
export interface ConfigPut<T = unknown> extends ChangeDetails<T> {
  readonly type: 'put';
  /** Frozen, an instance of its class. */
  readonly value: T;
}

/** Readers see nothing any more; a deleted key with a default is a `put` of the default. */
export interface ConfigDelete<T = unknown> extends ChangeDetails<T> {
  readonly type: 'delete';
  readonly value?: undefined;
}

interface ChangeDetails<T> {
  readonly key: string;
  /** What the listener was told before, frozen. */
  readonly previous?: T;
  /**
   * What is different in the document, as `['pool.hosts[0]', 'size']`: the smallest parts that were added, removed or replaced, in a fixed order.
   * `['']` when the whole came or went. Paths only, never values.
   */
  readonly changedPaths: readonly string[];
  /** Revision of the write or deletion in etcd. */
  readonly revision: number;
  readonly origin: WatchOrigin;
}

/** What readers see before or after a change, and the bytes it was parsed from. */
export interface Shown<T> {
  readonly value: T | undefined;
  readonly bytes: DocumentBytes | undefined;
}

/** Paths by which two documents differ. */
export type DocumentDiff = (before: DocumentBytes, after: DocumentBytes) => readonly string[];

/** How a key got from one state to another; `undefined` for nothing. */
export interface Transition<T> {
  readonly key: string;
  readonly revision: number;
  readonly before: Shown<T> | undefined;
  readonly after: Shown<T> | undefined;
  readonly diff: DocumentDiff;
  /** Empty when the document says the same. */
  readonly changedPaths: readonly string[];
}

/** A transition as those who listen are told of it. */
export function changeOf<T>(transition: Transition<T>, origin: WatchOrigin): ConfigChange<T> {
  const { key, revision, before, after, changedPaths } = transition;
  const previous = before?.value;
  const value = after?.value;
  const told = previous === undefined ? undefined : { previous };
  const change: ConfigChange<T> =
    value === undefined
      ? { type: 'delete', key, changedPaths, revision, origin, ...told }
      : { type: 'put', key, value, changedPaths, revision, origin, ...told };
  transitions.set(change, transition);
  return Object.freeze(change);
}

/** Two changes of a key as one; `undefined` when the second took back the first. */
export function joined(first: ConfigChange, last: ConfigChange): ConfigChange | undefined {
  const from = transitions.get(first);
  const to = transitions.get(last);
  if (!from || !to) return last;
  const changedPaths = pathsOf(from.before, to.after, to.diff);
  return changedPaths.length === 0 ? undefined : changeOf({ ...to, before: from.before, changedPaths }, last.origin);
}

/** What exists, to a listener that is new. */
export const initialChange = <T>(key: string, value: T, revision: number): ConfigPut<T> =>
  Object.freeze({ type: 'put', key, value, changedPaths: WHOLE, revision, origin: 'initial' });

/** The bytes behind a change are nobody's business but ours. */
const transitions = new WeakMap<ConfigChange, Transition<unknown>>();

/** The document itself. */
const WHOLE: readonly string[] = Object.freeze(['']);
const NOTHING: readonly string[] = [];

/** What is different; empty when the document says the same. */
export function pathsOf<T>(
  before: Shown<T> | undefined,
  after: Shown<T> | undefined,
  diff: DocumentDiff,
): readonly string[] {
  const [from, to] = [before?.bytes, after?.bytes];
  if (from === undefined || to === undefined) return from === to ? NOTHING : WHOLE;
  return isSameBytes(from, to) ? NOTHING : Object.freeze(diff(from, to));
}
