import { Injectable } from '@nestjs/common';
import { ClusterCron, type ClusterCronTick } from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';

@Injectable()
class Job {
  readonly ticks: ClusterCronTick[] = [];

  @ClusterCron('* * * * * *', { name: 'cut', missed: 'all' })
  run(tick: ClusterCronTick): void {
    this.ticks.push(tick);
  }
}

describe('a cron job whose answers are lost', () => {
  const etcd = ownEtcd();

  it('starts every tick exactly once, wherever the connection is cut', async () => {
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    await using app = await startApp(
      { hosts: proxy.endpoint, coordination: { prefix: '/coordination', ttlSeconds: 60 } },
      { providers: [Job] },
    );
    const { ticks } = app.app.get(Job);
    await eventually(() => ticks.length > 0);

    for (let bytes = 1; bytes < 300; bytes += 43) {
      const before = ticks.length;
      proxy.cutAfter(bytes);
      await eventually(() => ticks.length > before);
    }
    proxy.cutAfter(Infinity);
    const before = ticks.length;
    await eventually(() => ticks.length > before);

    const seconds = ticks.map(({ scheduledAt }) => scheduledAt.getTime() / 1_000);
    expect(seconds).toEqual(seconds.map((_, index) => (seconds[0] ?? 0) + index));
  });
});
