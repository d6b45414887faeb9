import type { KeyRecord } from '../../backend/key-record.js';

/**
 * What a key last held before it was absent at `absent`, looked for at growing distances: a life of the key that was shorter than the time since it
 * ended may be passed over. `undefined` when there was none, rejects as `readAt` does where etcd no longer holds the past.
 */
export async function lastLifeBefore(absent: number, readAt: ReadAt): Promise<KeyRecord | undefined> {
  let gone = absent;
  for (let step = 1; gone > 1; step *= 2) {
    const before = Math.max(1, gone - step);
    const record = await readAt(before);
    if (record) return endOfLife(record, before, gone, readAt);
    gone = before;
  }
  return undefined;
}

/** The last write of a life that was still there at `there` and over at `gone`. */
async function endOfLife(found: KeyRecord, there: number, gone: number, readAt: ReadAt): Promise<KeyRecord> {
  let record = found;
  let [low, high] = [there, gone];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    const between = await readAt(middle);
    if (between) [record, low] = [between, middle];
    else high = middle;
  }
  return record;
}

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
