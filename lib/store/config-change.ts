import type { WatchOrigin } from '../watch/watch-event.js';

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
  readonly bytes: Buffer | undefined;
}

/** How a key got from one state to another. */
export interface Transition<T> {
  readonly before: Shown<T>;
  readonly after: Shown<T>;
  /** Paths by which two documents differ. */
  readonly diff: (before: Buffer, after: Buffer) => readonly string[];
}

/** The change that a transition is to those who listen; `undefined` when the document says the same. */
export function changeOf<T>(
  transition: Transition<T>,
  { key, revision, origin }: Pick<ConfigChange, 'key' | 'revision' | 'origin'>,
): ConfigChange<T> | undefined {
  const { value } = transition.after;
  const changedPaths = pathsOf(transition);
  if (changedPaths.length === 0) return undefined;
  const previous = transition.before.value;
  const details = { key, ...(previous === undefined ? {} : { previous }), changedPaths, revision, origin };
  const change: ConfigChange<T> =
    value === undefined ? { type: 'delete', ...details } : { type: 'put', value, ...details };
  transitions.set(change, transition);
  return Object.freeze(change);
}

/** Two changes of a key as one; `undefined` when the second took back the first. */
export function joined(first: ConfigChange, last: ConfigChange): ConfigChange | undefined {
  const from = transitions.get(first);
  const to = transitions.get(last);
  return from && to ? changeOf({ ...to, before: from.before }, last) : last;
}

/** What exists, to a listener that is new. */
export const initialChange = <T>(key: string, value: T, revision: number): ConfigPut<T> =>
  Object.freeze({ type: 'put', key, value, changedPaths: WHOLE, revision, origin: 'initial' });

/** The bytes behind a change are nobody's business but ours. */
const transitions = new WeakMap<ConfigChange, Transition<unknown>>();

/** The document itself. */
const WHOLE: readonly string[] = Object.freeze(['']);
const NOTHING: readonly string[] = [];

function pathsOf<T>({ before, after, diff }: Transition<T>): readonly string[] {
  if (!before.bytes || !after.bytes) return before.bytes === after.bytes ? NOTHING : WHOLE;
  return before.bytes.equals(after.bytes) ? NOTHING : Object.freeze(diff(before.bytes, after.bytes));
}
