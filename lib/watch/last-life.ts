import type { ReadAt } from './first-change.js';
import type { KeyRecord } from './key-record.js';

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
