import type { KeyRecord } from '../../backend/key-record.js';
import type { KeyValueStore } from '../../backend/key-value-store.js';

/**
 * Yields the writes of a key, newest first, also those before a deletion.
 * @throws CompactedError when etcd has compacted what is older
 */
export async function* recordsBefore(
  keyValue: Pick<KeyValueStore, 'get'>,
  rawKey: string,
): AsyncGenerator<KeyRecord, void, void> {
  const readAt = readerOf(keyValue, rawKey);
  const { record: newest, revision: now } = await keyValue.get(rawKey);
  let record = newest ?? (await lastLifeBefore(now, readAt));
  while (record) {
    yield record;
    const before = record.revision - 1;
    record = before < 1 ? undefined : ((await readAt(before)) ?? (await lastLifeBefore(before, readAt)));
  }
}

/** Returns a function that reads the key at a revision. */
export const readerOf =
  (keyValue: Pick<KeyValueStore, 'get'>, rawKey: string): ReadAt =>
  async (revision) =>
    (await keyValue.get(rawKey, { revision })).record;

/**
 * Returns the last value of a key before it was absent at `absent`; `undefined` if there was none. Searches backwards
 * in growing steps, so it may miss a value that existed for a shorter time than the time since its deletion. Rejects,
 * like `readAt`, if etcd has compacted the history.
 */
export async function lastLifeBefore(absent: number, readAt: ReadAt): Promise<KeyRecord | undefined> {
  let deleted = absent;
  for (let step = 1; deleted > 1; step *= 2) {
    const before = Math.max(1, deleted - step);
    const record = await readAt(before);
    if (record) return endOfLife(record, before, deleted, readAt);
    deleted = before;
  }
  return undefined;
}

/** Returns the last write of a key that exists at `present` and is absent at `absent`. */
async function endOfLife(found: KeyRecord, present: number, absent: number, readAt: ReadAt): Promise<KeyRecord> {
  let record = found;
  let [low, high] = [present, absent];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    const between = await readAt(middle);
    if (between) [record, low] = [between, middle];
    else high = middle;
  }
  return record;
}

/** Reads one key at a revision. Rejects for revisions that etcd has compacted. */
export type ReadAt = (revision: number) => Promise<KeyRecord | undefined>;

/**
 * Returns the revision at which a key was first changed or deleted after its write at `written`, given that it has
 * changed by `changed`. Before that revision the key has the value of that write, and never again after it, so a binary
 * search finds the revision with a few reads. It starts with small steps, because most changes are close.
 */
export async function firstChangeAfter(written: number, changed: number, readAt: ReadAt): Promise<number> {
  let low = written;
  let high = changed;
  for (let step = 1; high - low > 1; step *= 2) {
    const middle = Math.min(low + step, low + Math.ceil((high - low) / 2));
    if ((await readAt(middle))?.revision === written) {
      low = middle;
    } else {
      high = middle;
      step = Infinity;
    }
  }
  return high;
}
