import { setTimeout as sleep } from 'node:timers/promises';
import { GroupRegistry, type WatchEvent } from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { ownEtcd } from '../../support/own-etcd.js';
import { startApp } from '../../support/start-app.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { groupHandlerOf } from './group-app.js';

const PARTITIONS = 3;
/** Longer than a test may take. */
const NEVER_MS = 600_000;

describe('an instance of a group that shuts down while etcd does not answer', () => {
  const etcd = ownEtcd();

  async function start(hosts: string, on: (event: WatchEvent) => unknown = () => undefined) {
    const group = { name: 'billing', partitions: PARTITIONS, checkpoint: { everyMs: NEVER_MS } };
    const { app } = await startApp(
      { hosts, coordination: { prefix: '/co', settleMs: 0 }, shutdown: { drainTimeoutMs: NEVER_MS } },
      { providers: [groupHandlerOf(on, { group })] },
    );
    const partitions = () => app.get(GroupRegistry).list()[0]?.partitions ?? [];
    await eventually(() => partitions().filter(({ state }) => state === 'following').length === PARTITIONS);
    return app;
  }

  it.each<[string, (proxy: TcpProxy) => void]>([
    [
      'refuses connections',
      (proxy) => {
        proxy.refuse();
        proxy.cut();
      },
    ],
    [
      'is silent',
      (proxy) => {
        proxy.freeze();
      },
    ],
  ])('does not use the whole drain limit if all that it has handled is stored: etcd %s', async (_, interrupt) => {
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    const app = await start(proxy.endpoint);
    interrupt(proxy);
    await app.close();
  });

  it('waits for etcd to store what it has handled, so that no event is repeated', async () => {
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    const handled: string[] = [];
    const on = ({ key, value }: WatchEvent) => handled.push(`${key}=${value?.toString()}`);
    const app = await start(proxy.endpoint, on);
    await etcd.put('/orders/a', '1');
    await eventually(() => handled.length === 1);

    proxy.refuse();
    proxy.cut();
    const closing = app.close();
    // Longer than the deletion of keys is waited for.
    expect(await Promise.race([closing, sleep(5_000, 'still closing')])).toBe('still closing');
    await proxy.accept();
    await closing;
    const next = await start(etcd.hosts.join(), on);
    await etcd.put('/orders/a', '2');
    await eventually(() => handled.includes('/orders/a=2'));
    expect(handled).toEqual(['/orders/a=1', '/orders/a=2']);
    await next.close();
  });
});
