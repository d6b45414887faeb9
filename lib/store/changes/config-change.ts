import { type DocumentBytes, isSameBytes } from '../../dto/formats/document-bytes.js';
import { secretsOf } from '../../dto/kept-document.js';
import type { WatchOrigin } from '../../watch/watch-event.js';

/** A change of the value that readers see. Frozen. */
export type ConfigChange<T = unknown> = ConfigPut<T> | ConfigDelete<T>;

/** A new or changed value. */
export interface ConfigPut<T = unknown> extends ChangeDetails<T> {
  readonly type: 'put';
  /** Frozen instance of the class of its definition. */
  readonly value: T;
}

/** A removed value. Deleting a key with a default is a `put` of the default. */
export interface ConfigDelete<T = unknown> extends ChangeDetails<T> {
  readonly type: 'delete';
  readonly value?: undefined;
}

interface ChangeDetails<T> {
  readonly key: string;
  /** Value that the listener received before, frozen. */
  readonly previous?: T;
  /**
   * Paths of the smallest parts of the document that were added, removed or replaced, such as `['pool.hosts[0]',
   * 'size']`, in a fixed order. `['']` if the whole document was added or removed.
   */
  readonly changedPaths: readonly string[];
  /** Revision of the write or deletion in etcd. */
  readonly revision: number;
  readonly origin: WatchOrigin;
}

/** The value that readers see before or after a change, and the bytes it was parsed from. */
export interface VisibleState<T> {
  readonly value: T | undefined;
  readonly bytes: DocumentBytes | undefined;
}

/** Returns the paths of the differences between the documents of two states. */
export type DocumentDiff = (before: VisibleState<unknown>, after: VisibleState<unknown>) => readonly string[];

/** The states of a key before and after a change; `undefined` for no value. */
export interface Transition<T> {
  readonly key: string;
  readonly revision: number;
  readonly before: VisibleState<T> | undefined;
  readonly after: VisibleState<T> | undefined;
  readonly diff: DocumentDiff;
  /** Empty if the documents are equal. */
  readonly changedPaths: readonly string[];
}

/** Creates the change that listeners receive. */
export function changeOf<T>(transition: Transition<T>, origin: WatchOrigin): ConfigChange<T> {
  const { key, revision, before, after, changedPaths } = transition;
  const previous = before?.value;
  const value = after?.value;
  const optional = previous === undefined ? undefined : { previous };
  const change: ConfigChange<T> =
    value === undefined
      ? { type: 'delete', key, changedPaths, revision, origin, ...optional }
      : { type: 'put', key, value, changedPaths, revision, origin, ...optional };
  transitions.set(change, transition);
  return Object.freeze(change);
}

/** Joins two changes of a key; `undefined` if the second reverts the first. */
export function joined(first: ConfigChange, last: ConfigChange): ConfigChange | undefined {
  const from = transitions.get(first);
  const to = transitions.get(last);
  if (!from || !to) return last;
  const changedPaths = pathsOf(from.before, to.after, to.diff);
  return changedPaths.length === 0 ? undefined : changeOf({ ...to, before: from.before, changedPaths }, last.origin);
}

/** Creates the change that reports an existing configuration to a new listener. */
export const initialChange = <T>(key: string, value: T, revision: number): ConfigPut<T> =>
  Object.freeze({ type: 'put', key, value, changedPaths: WHOLE, revision, origin: 'initial' });

/** The bytes of a change are private, so they are not properties of it. */
const transitions = new WeakMap<ConfigChange, Transition<unknown>>();

/** The document itself. */
const WHOLE: readonly string[] = Object.freeze(['']);
const NO_PATHS: readonly string[] = [];

/** Returns the paths of the differences; empty if the documents are equal. */
export function pathsOf<T>(
  before: VisibleState<T> | undefined,
  after: VisibleState<T> | undefined,
  diff: DocumentDiff,
): readonly string[] {
  if (before?.bytes === undefined || after?.bytes === undefined) {
    return before?.bytes === after?.bytes ? NO_PATHS : WHOLE;
  }
  return isSameBytes(before.bytes, after.bytes) && !isResolved(after.value)
    ? NO_PATHS
    : Object.freeze(diff(before, after));
}

/** True for a value with secrets, which may change although the bytes do not. */
const isResolved = (value: unknown): boolean => secretsOf(value as object | undefined) !== undefined;
