import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { LabCluster } from './lab-cluster.js';

describe('a member that is partitioned from the others', () => {
  let cluster: LabCluster;

  beforeAll(async () => {
    cluster = await LabCluster.start('3.5', 'plain');
  });
  afterAll(async () => {
    await cluster.stop();
  });

  const KEY = Buffer.from('/written');
  const put = (member: number): Promise<unknown> =>
    cluster.direct[member]?.call('KV', 'Put', { key: KEY, value: Buffer.from('x') }, 1_500) ??
    Promise.reject(new Error());
  const count = async (member: number): Promise<number> => {
    const range = { key: KEY, serializable: true };
    return Number((await cluster.direct[member]?.call<{ count: string }>('KV', 'Range', range))?.count);
  };

  it.each(['cut', 'silent'] as const)(
    'accepts no writes and receives none, although it was the leader: %s',
    async (partition) => {
      const isolated = await cluster.leaderIndex();
      const other = (isolated + 1) % 3;
      await eventually(() => cluster.direct[other]?.call('KV', 'DeleteRange', { key: KEY }) ?? false);
      cluster.isolate(isolated, partition);
      await expect(put(isolated)).rejects.toThrow();
      await eventually(() => put(other));

      expect([await count(isolated), await count(other)]).toEqual([0, 1]);
      cluster.rejoin();
      await eventually(async () => (await count(isolated)) === 1);
    },
  );

  it('receives writes late over a slow link, and still has a leader', async () => {
    const late = ((await cluster.leaderIndex()) + 1) % 3;
    const revisionAt = async (member: number): Promise<number> => {
      const response = await cluster.direct[member]?.call<{ header: { revision: string } }>('KV', 'Range', {
        key: KEY,
        serializable: true,
      });
      return Number(response?.header.revision);
    };
    cluster.isolate(late, 'slow');
    const others = cluster.direct.filter((_, index) => index !== late);
    for (let index = 0; index < 3; index += 1) {
      await eventually(() => others[0]?.call('KV', 'Put', { key: KEY, value: Buffer.alloc(1_000_000) }) ?? false);
    }
    const head = await revisionAt((late + 1) % 3);

    expect(await revisionAt(late)).toBeLessThan(head);
    const { leader } = (await cluster.direct[late]?.call<{ leader: string }>('Maintenance', 'Status', {})) ?? {};
    expect(Number(leader)).not.toBe(0);
    cluster.rejoin();
    await eventually(async () => (await revisionAt(late)) >= head);
  });
});
