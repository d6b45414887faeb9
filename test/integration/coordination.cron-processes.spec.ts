import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { FixtureProcess } from '../support/fixture-process.js';
import { ownEtcd } from '../support/own-etcd.js';

describe('a cron job of several processes', () => {
  const etcd = ownEtcd();

  const start = (pod: string): FixtureProcess => new FixtureProcess('cron.mjs', etcd.hosts.join(), pod);
  const ticks = async () => {
    const { kvs } = await etcd.direct.getAll().prefix('/ticks/').exec();
    return kvs.map(({ key, value, version }) => ({
      at: Date.parse(key.toString().slice('/ticks/'.length)),
      pod: value.toString().split(' ')[0] ?? '',
      writes: Number(version),
    }));
  };
  const podsOf = (found: readonly { readonly pod: string }[]): Set<string> => new Set(found.map(({ pod }) => pod));
  const waitForTicks = async (isEnough: (found: Awaited<ReturnType<typeof ticks>>) => boolean): Promise<void> => {
    await eventually(async () => isEnough(await ticks()));
  };

  it('starts no tick twice while owners are killed and stopped, and makes up for missed ones', async () => {
    await using a = start('a');
    await using b = start('b');
    await using c = start('c');
    const instances = { a, b, c };
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      const before = podsOf(await ticks()).size;
      await waitForTicks((found) => podsOf(found).size > before);
      const count = (await ticks()).length;
      await waitForTicks((found) => found.length > count + 1);
      const owner = (await ticks()).at(-1)?.pod;
      await instances[owner as keyof typeof instances].end(signal);
    }
    await waitForTicks((found) => podsOf(found).size === 3);
    const found = await ticks();

    expect(found.filter(({ writes }) => writes > 1)).toEqual([]);
    // The process that was killed may have stored a tick without having written its key.
    const seconds = found.map(({ at }) => at / 1_000);
    const gaps = seconds.slice(1).filter((second, index) => second !== (seconds[index] ?? 0) + 1);
    expect(gaps.length).toBeLessThanOrEqual(1);
  });
});
