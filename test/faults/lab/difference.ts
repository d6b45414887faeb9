import type { Change } from './history.js';
import type { State } from './truth.js';

/** What a resync owes a listener: one change for each key that is not what the listener knows; what is gone, is gone as of the list's revision. */
export function differenceBetween(known: State, held: State, listRevision: number): Map<string, Change> {
  const difference = new Map<string, Change>();
  for (const [key, change] of held) {
    const before = known.get(key);
    if (!before || !isSameWrite(before, change)) difference.set(key, change);
  }
  for (const key of known.keys()) if (!held.has(key)) difference.set(key, removal(key, listRevision));
  return difference;
}

/** The keys of a range in a state. */
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
