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

const POSITIONS = Array.from({ length: 100_000 }, (_, index) => keyPosition(`/orders/${index}`));

/** What an owner stores that dies in the call of a batch with all keys of a list. */
function diedInBatch(cursor: GroupCursor): GroupCursor {
  const owned = new PartitionCursor({
    cursor,
    createRevision: 1,
    token: 10,
    rememberedPrefix: undefined,
    transactionOperations: 128,
  });
  const places = POSITIONS.map((position) => ({ position }));
  owned.begin(owned.progress.add(places, 5, '/orders/99999'));
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
});
