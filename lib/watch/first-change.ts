import type { KeyRecord } from './key-record.js';

/** What one key held at a revision. Rejects for revisions that etcd no longer holds. */
export type ReadAt = (revision: number) => Promise<KeyRecord | undefined>;

/**
 * The revision at which a key was first changed or deleted after its write at `written`, given that it was by `changed`. Before it the key holds that
 * write, from it on never again: so a few reads of the past find it, however busy the store is. Near changes are found soonest.
 */
export async function firstChangeAfter(written: number, changed: number, readAt: ReadAt): Promise<number> {
  let unchanged = written;
  let moved = changed;
  for (let step = 1; moved - unchanged > 1; step *= 2) {
    const middle = Math.min(unchanged + step, unchanged + Math.ceil((moved - unchanged) / 2));
    if ((await readAt(middle))?.revision === written) {
      unchanged = middle;
    } else {
      moved = middle;
      step = Infinity;
    }
  }
  return moved;
}
