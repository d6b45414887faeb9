import { describe, expect, it } from 'vitest';
import type { GroupHandler } from '../../../lib/coordination/groups/group-handler.js';
import type { GroupItem } from '../../../lib/coordination/groups/group-item.js';
import { PartitionCursor } from '../../../lib/coordination/groups/partition-cursor.js';
import { PartitionReceiver } from '../../../lib/coordination/groups/partition-receiver.js';
import { PlacedEvent } from '../../../lib/coordination/groups/placed-event.js';
import { ChangeEvent } from '../../../lib/watch/stream/change-event.js';
import type { ResyncNotice } from '../../../lib/watch/watch-event.js';

const TARGET = { prefix: '/orders/' };
const HANDLER = {
  options: { name: 'billing' },
  range: { target: TARGET },
  handler: { event: () => undefined },
  delivery: { events: 'both' },
  partitionText: undefined,
} as unknown as GroupHandler;

/** A put that a difference contains, or a deletion without a revision of its own. */
const eventOf = (rawKey: string, revision: number, value?: Buffer): ChangeEvent =>
  new ChangeEvent(
    value
      ? { rawKey, revision, createRevision: revision, version: 1, lease: undefined, value }
      : { rawKey, revision, value },
    undefined,
    'resync',
  );

function receiverAt(r: number, done: readonly string[]) {
  const items: GroupItem[] = [];
  const cursor = new PartitionCursor({
    cursor: { r, done, stalls: 0, cluster: '' },
    createRevision: 1,
    token: 60,
    rememberedPrefix: undefined,
    transactionOperations: 128,
  });
  const ignore = (): void => undefined;
  const receiver = new PartitionReceiver({
    partition: 0,
    handler: HANDLER,
    cursor,
    delivery: { push: (item) => items.push(item), admit: ignore, canAccept: () => true },
    mayBeRepeated: () => false,
    isEnding: () => false,
    onBegun: ignore,
    onResync: ignore,
    onBehind: ignore,
    onHistoryChanged: ignore,
  });
  return { cursor, receiver, keys: () => items.map(({ changes }) => changes[0]?.key) };
}

describe('the receiver of a partition', () => {
  it('handles of a difference only what its cursor does not contain, although the watch was behind the cursor', () => {
    const { receiver, cursor, keys } = receiverAt(50, ['55/0']);
    const value = Buffer.from('1');
    const events = [
      eventOf('/orders/deleted', 70),
      eventOf('/orders/done', 55, value),
      eventOf('/orders/handled', 45, value),
      eventOf('/orders/new', 65, value),
    ];
    const notice: ResyncNotice = {
      target: TARGET,
      fromRevision: 20,
      toRevision: 70,
      reason: 'compacted',
      deletionsKnown: true,
    };
    const placed = events.map((event, index) => new PlacedEvent(event, index, events.length));
    receiver.receive({ revision: 70, origin: 'resync', events }, placed, notice);
    expect(keys()).toEqual(['/orders/deleted', '/orders/new']);
    expect(cursor.progress.snapshot()).toMatchObject({ phase: 'resync', r: 70, base: { r: 50, done: ['55/0'] } });
  });
});
