import { Etcd3 } from 'etcd3';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { freePort, type RunningSample, start } from './running-sample.js';

interface Pods {
  readonly pod: string;
  readonly instances: readonly { readonly pod: string; readonly url: string; readonly pid: number }[];
  readonly totals: { readonly orders: number; readonly total: number; readonly by: string } | undefined;
  readonly elections: readonly { readonly isLeader: boolean; readonly leader?: { readonly pod: string } }[];
  readonly locks: readonly { readonly name: string; readonly state: string }[];
  readonly crons: readonly {
    readonly state: string;
    readonly owner?: { readonly pod: string };
    readonly lastTick?: string;
    readonly nextTick?: string;
  }[];
}

const podsOf = async ({ url }: RunningSample): Promise<Pods> => (await (await fetch(`${url}/pods`)).json()) as Pods;
const order = (sample: RunningSample, name: string, total: number): Promise<Response> =>
  fetch(`${sample.url}/events/order-${name}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ total }),
  });
const leaderOf = async (sample: RunningSample): Promise<string | undefined> =>
  (await podsOf(sample)).elections[0]?.leader?.pod;
const podAt = ({ url }: RunningSample): string => `sample-app-${new URL(url).port}`;

/** A second instance on the same etcd, which sees that the first one leads. */
async function startSecond(first: RunningSample, hosts: string): Promise<RunningSample> {
  await eventually(async () => (await leaderOf(first)) === podAt(first));
  const second = await start({ ETCD_HOSTS: hosts });
  await eventually(async () => (await leaderOf(second)) === podAt(first));
  return second;
}

describe('two instances of the sample app on one etcd', () => {
  it.each(['SIGINT', 'SIGKILL'] as const)('hand over when the leader ends with %s', async (signal) => {
    await using cluster = await EtcdTestCluster.start();
    const hosts = cluster.hosts.join();
    using first = await start({ ETCD_HOSTS: hosts });
    await order(first, 'a', 3);
    using second = await startSecond(first, hosts);
    await eventually(async () => (await podsOf(second)).totals?.by === podAt(first));
    await order(second, 'b', 4);
    await eventually(async () => {
      expect((await podsOf(second)).totals).toEqual({ orders: 2, total: 7, by: podAt(first) });
    });
    const { instances, crons } = await podsOf(second);
    expect(instances.map(({ pid }) => pid).sort()).toEqual([first.child.pid, second.child.pid].sort());
    expect([podAt(first), podAt(second)]).toContain(crons[0]?.owner?.pod);
    expect(Date.parse(crons[0]?.nextTick ?? '') % 10_000).toBe(0);

    first.child.kill(signal);
    await first.ended;
    await eventually(async () => (await leaderOf(second)) === podAt(second));
    await order(second, 'c', 5);
    await eventually(async () => {
      const { pod, totals, crons: jobs, instances: left, elections } = await podsOf(second);
      expect(totals).toEqual({ orders: 3, total: 12, by: pod });
      expect([elections[0]?.isLeader, jobs[0]?.state, left.length]).toEqual([true, 'owner', 1]);
      expect(jobs[0]?.lastTick).toBeDefined();
    });
    expect(second.output()).toContain(`leader  ${podAt(second)} adds up the orders (token`);
  });

  it('take stock one after the other', async () => {
    await using cluster = await EtcdTestCluster.start();
    const hosts = cluster.hosts.join();
    using first = await start({ ETCD_HOSTS: hosts });
    using second = await start({ ETCD_HOSTS: hosts });
    const takeStock = async ({ url }: RunningSample) => {
      const response = await fetch(`${url}/stocktaking`, { method: 'POST' });
      return (await response.json()) as { readonly by: string; readonly token: number };
    };
    const states = async (sample: RunningSample): Promise<string[]> =>
      (await podsOf(sample)).locks.map(({ name, state }) => `${name} ${state}`);

    const one = takeStock(first);
    await eventually(async () => (await states(first)).includes('stocktaking held'));
    const other = takeStock(second);
    await eventually(async () => (await states(second)).includes('stocktaking waiting'));
    const [earlier, later] = await Promise.all([one, other]);

    expect([earlier.by, later.by]).toEqual([podAt(first), podAt(second)]);
    expect(later.token).toBeGreaterThan(earlier.token);
    await eventually(async () => (await states(second)).length === 0);
  });

  it('share the etcd that the first one has started, which ends with the last one', async () => {
    using first = await start({ ETCD_HOSTS: '' });
    const [, port = '', hosts = ''] = /^ {2}PORT=(\d+) ETCD_HOSTS=(\S+) npm start$/m.exec(await printed(first)) ?? [];
    expect(Number(port)).toBe(Number(new URL(first.url).port) + 1);
    using second = await startSecond(first, hosts);

    first.child.kill('SIGINT');
    await eventually(async () => (await leaderOf(second)) === podAt(second));
    await eventually(() => first.output().includes('when the other instances (1) have ended'));
    const client = new Etcd3({ hosts });
    await eventually(async () => {
      expect(await client.get('/app/totals').json()).toMatchObject({ by: podAt(second) });
    });
    client.close();
    second.child.kill('SIGINT');
    await second.ended;

    expect(await first.ended).toBe(0);
  });

  it('of which the first one ends its etcd at the second signal, although another one uses it', async () => {
    using first = await start({ ETCD_HOSTS: '' });
    const [, hosts = ''] = /ETCD_HOSTS=(\S+) npm start/.exec(await printed(first)) ?? [];
    using second = await start({ ETCD_HOSTS: hosts, PORT: String(await freePort()) });
    await eventually(async () => (await podsOf(second)).instances.length === 2);
    first.child.kill('SIGINT');
    await eventually(() => first.output().includes('when the other instances (1) have ended'));
    first.child.kill('SIGINT');

    expect(await first.ended).toBe(1);
  });
});

const printed = async (sample: RunningSample): Promise<string> => {
  await eventually(() => sample.output().includes('npm start'));
  return sample.output();
};
