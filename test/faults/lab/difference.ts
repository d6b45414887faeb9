import type { Change } from './listener-history.js';
import type { State } from './store-history.js';

/**
 * Returns the changes that a resync must deliver: one for each key whose state differs from what the listener knows.
 * Deletes have the revision of the list.
 */
export function differenceBetween(known: State, contents: State, listRevision: number): Map<string, Change> {
  const difference = new Map<string, Change>();
  for (const [key, change] of contents) {
    const before = known.get(key);
    if (!before || !isSameWrite(before, change)) difference.set(key, change);
  }
  for (const key of known.keys()) if (!contents.has(key)) difference.set(key, removal(key, listRevision));
  return difference;
}

/** Returns the part of a state that belongs to a range. */
export const within = (state: State, includes: (key: string) => boolean): Map<string, Change> =>
  new Map([...state].filter(([key]) => includes(key)));

export const isSameWrite = (a: Change, b: Change): boolean =>
  a.value === b.value &&
  a.revision === b.revision &&
  a.createRevision === b.createRevision &&
  a.version === b.version &&
  a.lease === b.lease;

const removal = (key: string, revision: number): Change => ({
  type: 'delete',
  key,
  value: undefined,
  revision,
  createRevision: 0,
  version: 0,
  lease: undefined,
});
