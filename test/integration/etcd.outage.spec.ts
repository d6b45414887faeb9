import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { allFollow, allHaveReceived, watchMany } from '../support/many-watches.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';

describe('an outage with 100 targets:', () => {
  const etcd = ownEtcd();
  const OUTAGE_MS = 10_000;
  /** Attempts before the backoff has reached its maximum. */
  const FIRST_ATTEMPTS = 10;

  it('one connection attempt at a time is made, and all targets follow again', async () => {
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    await using app = await startApp({ hosts: proxy.endpoint });
    const watches = await watchMany(app.watcher, 100);
    await eventually(() => allFollow(watches));
    expect(proxy.accepted).toBe(1);

    await etcd.first.kill();
    await eventually(() => watches.every(({ subscription }) => subscription.status === 'interrupted'));
    const before = proxy.accepted;
    await sleep(OUTAGE_MS);
    const attempts = proxy.accepted - before;
    await etcd.first.start();
    await etcd.putTogether(Object.fromEntries(watches.map(({ prefix }) => [`${prefix}a`, 'x'])));
    await eventually(() => allFollow(watches) && allHaveReceived(watches, 'a'));

    expect(attempts).toBeGreaterThanOrEqual(OUTAGE_MS / 2_000);
    expect(attempts).toBeLessThanOrEqual(FIRST_ATTEMPTS + (3 * OUTAGE_MS) / 1_000);
    expect(watches.flatMap(({ recorder }) => recorder.notices)).toEqual([]);
    expect(proxy.connections).toBe(1);
    expect(await etcd.first.metric('etcd_debugging_mvcc_watch_stream_total')).toBe(1);
  });
});
