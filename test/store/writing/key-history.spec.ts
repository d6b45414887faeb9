import fc from 'fast-check';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import type { KeyRecord } from '../../../lib/backend/key-record.js';
import { firstChangeAfter, lastLifeBefore, type ReadAt } from '../../../lib/store/writing/key-history.js';
import { openBackend } from '../../testing/contract/open-backend.js';

/** The key is put or deleted, or only another key is written. */
const actions = fc.array(fc.constantFrom('put', 'delete', 'elsewhere'), { maxLength: 60 });

interface KeyHistory {
  /** Current revision of the cluster. */
  readonly revision: number;
  /** Record of the key at each revision; index 0 is unused. */
  readonly records: readonly (KeyRecord | undefined)[];
  readonly readAt: ReadAt;
  readonly reads: () => number;
}

async function historyOf(actions: readonly string[]): Promise<KeyHistory> {
  const fake = new FakeCluster();
  for (const action of actions) {
    if (action === 'put') fake.put('key', '');
    else if (action === 'elsewhere') fake.put('other', '');
    else fake.delete('key');
  }
  const { revision } = fake;
  const { keyValue } = openBackend(fake);
  let reads = 0;
  const readAt: ReadAt = async (at) => {
    reads += 1;
    return (await keyValue.get('key', { revision: at })).record;
  };
  const revisions = Array.from({ length: revision }, (_, index) => index + 1);
  const records = [undefined, ...(await Promise.all(revisions.map(readAt)))];
  reads = 0;
  return { revision, records, readAt, reads: () => reads };
}

describe('the history of a key', () => {
  it('contains the first change after a write, which takes a few reads for any number of revisions', async () => {
    await fc.assert(
      fc.asyncProperty(actions, actions, async (before, after) => {
        const { revision, records, readAt, reads } = await historyOf([...before, 'put', ...after]);
        const puts = records.flatMap((record, at) => (record?.revision === at ? [at] : []));
        const written = puts[before.filter((action) => action === 'put').length] ?? 0;
        const expected = records.findIndex((record, at) => at > written && record?.revision !== written);
        if (expected === -1) return;

        expect(await firstChangeAfter(written, revision, readAt)).toBe(expected);
        expect(reads()).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(revision)) + 2);
      }),
    );
  });

  it('contains the last value before a deletion if it existed for longer than the time since the deletion', async () => {
    const lifetime = fc.array(fc.constantFrom('put', 'elsewhere'), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(lifetime, fc.nat(60), async (life, since) => {
        const quiet = Array.from({ length: since }, () => 'elsewhere');
        const { revision, records, readAt } = await historyOf(['put', ...life, 'delete', ...quiet]);
        const found = await lastLifeBefore(revision, readAt);

        if (found || life.length > since) expect(found).toEqual(records[revision - since - 1]);
      }),
    );
  });

  it('is empty if the key never existed', async () => {
    const { revision, readAt } = await historyOf(['elsewhere', 'elsewhere']);

    expect(await lastLifeBefore(revision, readAt)).toBeUndefined();
  });
});
