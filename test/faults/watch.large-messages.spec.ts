import { describe, expect, it } from 'vitest';
import type { WatchBatch } from 'nestjs-etcd-trigger';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';

describe('a watch with messages of any size', () => {
  const etcd = ownEtcd({ args: ['--quota-backend-bytes=4000000000'] });
  const { put } = etcd;

  it('delivers a transaction of 12 MB completely, as one batch', async () => {
    await using app = await startApp({ hosts: etcd.hosts });
    const path = 'x'.repeat(1_000);
    const keys = 12_000;
    for (let index = 0; index < keys; index += 100) {
      const entries = Array.from({ length: 100 }, (_, offset) => [`/big/${path}/${index + offset}`, 'v'] as const);
      await etcd.putTogether(Object.fromEntries(entries));
    }
    const batches: WatchBatch[] = [];
    await app.watcher.watchBatch('/big/', (batch) => batches.push(batch), { initial: false });
    await etcd.direct.delete().prefix('/big/');
    await eventually(() => batches.length === 1);

    expect(batches[0]?.events.length).toBe(keys);
    expect(new Set(batches[0]?.events.map(({ type }) => type))).toEqual(new Set(['delete']));
  });

  it('catches up with more than one message can contain, while the connection is cut', async () => {
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    await using app = await startApp({ hosts: proxy.endpoint });
    const revisions: number[] = [];
    // The server sends 100 revisions of 1 MiB as one message, which exceeds the receive limit of the client.
    for (let index = 0; index < 100; index += 1) {
      revisions.push(await put(`/huge/${index % 3}`, Buffer.alloc(1_048_576, index)));
    }
    const seen: number[] = [];
    await app.watcher.watch(
      '/huge/',
      ({ revision, value }) => {
        if (value?.length === 1_048_576) seen.push(revision);
      },
      { fromRevision: revisions[0] ?? 0 },
    );
    proxy.cutAfter(30_000_000);
    await eventually(() => seen.length >= 100, { withinMs: 50_000 });

    expect(seen).toEqual(revisions);
  });
});
