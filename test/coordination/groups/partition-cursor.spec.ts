import { describe, expect, it } from 'vitest';
import {
  claimedCursor,
  type GroupCursor,
  keyPosition,
  MAX_STALLS,
  poisonOf,
  serializeCursor,
} from '../../../lib/coordination/groups/group-cursor.js';
import { PartitionCursor } from '../../../lib/coordination/groups/partition-cursor.js';
import { ProgressEntry } from '../../../lib/coordination/groups/partition-progress.js';

const POSITIONS = Array.from({ length: 100_000 }, (_, index) => keyPosition(`/orders/${index}`));
const PLACES = POSITIONS.map((position) => ({ position }));

const ownedAt = (cursor: GroupCursor): PartitionCursor =>
  new PartitionCursor({
    cursor,
    createRevision: 1,
    token: 10,
    rememberedPrefix: undefined,
    transactionOperations: 128,
  });

/** The stored cursor of an owner that dies in the call of a batch with all keys of a list. */
function diedInBatch(cursor: GroupCursor): GroupCursor {
  const owned = ownedAt(cursor);
  owned.begin(owned.progress.add(new ProgressEntry(PLACES, 5, '/orders/99999')));
  return owned.plan().cursor;
}

describe('the cursor of an owned partition', () => {
  it('names a batch that kills its owners, however many events it has', () => {
    let cursor: GroupCursor = { r: 5, done: [], phase: 'initial', stalls: 0, cluster: '' };
    let owners = 0;
    for (; poisonOf(cursor).length === 0 && owners <= MAX_STALLS + 1; owners += 1) {
      cursor = claimedCursor(diedInBatch(cursor), 9);
      expect(serializeCursor(cursor, { by: 'a/1', at: 0 }).length).toBeLessThan(10_000);
    }
    expect(owners).toBe(MAX_STALLS + 1);
    expect(poisonOf(cursor).every((position) => POSITIONS.includes(position))).toBe(true);
  });

  it('names an event that is tried until it is handled or parked', () => {
    const owned = ownedAt({ r: 5, done: [], stalls: 2, suspects: ['6/0', '7/0'], cluster: '' });
    const first = owned.progress.add(new ProgressEntry([{ position: '6/0' }], 6));
    const second = owned.progress.add(new ProgressEntry([{ position: '7/0' }], 7));
    for (const entry of [first, second]) owned.begin(entry);
    expect(owned.plan().cursor.trying).toEqual(['6/0', '7/0']);
    owned.committed(first);
    expect(owned.plan().cursor).toMatchObject({ r: 6, trying: ['7/0'], stalls: 2 });
  });
});
