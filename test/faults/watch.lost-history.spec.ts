import { Etcd3 } from 'etcd3';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { Recorder } from '../support/recorder.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';

describe('a watch whose history is lost', () => {
  const etcd = ownEtcd();
  const { put, compact } = etcd;

  it('receives the net difference, deletes included, and one notice after a compaction', async () => {
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    await using app = await startApp({ hosts: proxy.endpoint });
    for (const key of ['same', 'changed', 'deleted', 'recreated']) await put(`/k/${key}`, 'before');
    const recorder = new Recorder();
    await app.watcher.watch('/k/', recorder.onEvent, { onResync: recorder.onResync });
    const listed = await put('/k/last', 'seen');
    await eventually(() => recorder.events.at(-1)?.revision === listed);
    proxy.refuse();
    proxy.cut();
    await put('/k/changed', 'between');
    await put('/k/changed', 'after');
    await etcd.direct.delete().key('/k/deleted');
    await etcd.direct.delete().key('/k/recreated');
    const recreated = await put('/k/recreated', 'before');
    await put('/k/gone', 'x');
    await etcd.direct.delete().key('/k/gone');
    const head = await put('/k/new', 'after');
    await compact(head);
    await proxy.accept();
    await eventually(() => recorder.notices.length === 1);
    const live = await put('/k/live', 'z');
    await eventually(() => recorder.events.at(-1)?.revision === live);

    const resync = recorder.events.filter(({ origin }) => origin === 'resync');
    expect(
      resync.map(({ type, key, value, previous, revision, version }) => [
        type,
        key,
        value?.toString(),
        previous?.toString(),
        revision,
        version,
      ]),
    ).toEqual([
      ['put', '/k/changed', 'after', 'before', listed + 2, 3],
      ['delete', '/k/deleted', undefined, 'before', head, 0],
      ['put', '/k/new', 'after', undefined, head, 1],
      ['put', '/k/recreated', 'before', 'before', recreated, 1],
    ]);
    expect(recorder.notices).toEqual([
      {
        target: { prefix: '/k/' },
        fromRevision: listed + 1,
        toRevision: head,
        reason: 'compacted',
        deletionsKnown: true,
      },
    ]);
    expect(recorder.events.at(-1)?.origin).toBe('live');
  });

  it('receives no resync after a compaction while it is connected, or of revisions that it has seen', async () => {
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    await using app = await startApp({ hosts: proxy.endpoint });
    const recorder = new Recorder();
    await app.watcher.watch('/k/', recorder.onEvent, { onResync: recorder.onResync });
    const revisions = [await put('/k/1', 'a'), await put('/k/2', 'b')];
    await eventually(() => recorder.events.length === 2);
    await compact(revisions[1] ?? 0);
    proxy.cut();
    revisions.push(await put('/k/3', 'c'));
    await eventually(() => recorder.events.length === 3);

    expect(recorder.revisions).toEqual(revisions);
    expect(recorder.notices).toEqual([]);
  });

  it('receives a notice and the new content after the store was wiped', async () => {
    await using app = await startApp({ hosts: etcd.hosts });
    for (const key of ['a', 'b', 'c']) await put(`/k/${key}`, 'old');
    const recorder = new Recorder();
    await app.watcher.watch('/k/', recorder.onEvent, { onResync: recorder.onResync });
    await eventually(() => recorder.events.length === 3);
    await etcd.wipe();
    await eventually(() => recorder.notices.length === 1);
    await put('/k/a', 'new');
    await eventually(() => recorder.state['/k/a'] === 'new');

    expect(recorder.state).toEqual({ '/k/a': 'new' });
    expect(recorder.notices.map(({ reason }) => reason)).toEqual(['restored']);
  });

  it('shares its stream with later listeners that start at a revision, after the store was wiped', async () => {
    await using app = await startApp({ hosts: etcd.hosts });
    for (const key of ['a', 'b', 'c']) await put(`/k/${key}`, 'old');
    const recorder = new Recorder();
    await app.watcher.watch('/k/', recorder.onEvent, { onResync: recorder.onResync });
    await etcd.wipe();
    await eventually(() => recorder.notices.length === 1);
    const fromRevision = await put('/k/a', 'new');
    await eventually(() => recorder.events.at(-1)?.revision === fromRevision);
    const later = new Recorder();
    await app.watcher.watch('/k/', later.onEvent, { fromRevision });
    const last = await put('/k/b', 'new');
    await eventually(() => later.events.at(-1)?.revision === last && recorder.events.at(-1)?.revision === last);

    expect(later.revisions).toEqual([fromRevision, last]);
    await eventually(async () => (await etcd.first.metric('etcd_debugging_mvcc_watcher_total')) === 1);
  });

  it('detects by its content that the store went back and then grew past the cursor', async () => {
    const other = await EtcdTestCluster.start();
    const otherDirect = new Etcd3({ hosts: other.hosts });
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    await using app = await startApp({ hosts: proxy.endpoint });
    for (const key of ['a', 'b']) await put(`/k/${key}`, 'old');
    const head = await put('/k/c', 'old');
    const recorder = new Recorder();
    await app.watcher.watch('/k/', recorder.onEvent, { onResync: recorder.onResync });
    await eventually(() => recorder.events.length === 3);
    // Another store behind the same address, with a higher revision than the first one.
    const writes = 2 * (head + 10);
    for (let index = 0; index < writes; index += 1) await otherDirect.put(`/k/${index % 2}`).value(`other ${index}`);
    proxy.retarget(other.first.clientPort);
    proxy.cut();
    await eventually(() => recorder.notices.length === 1);
    await eventually(() => recorder.state['/k/1'] === `other ${writes - 1}`);

    expect(recorder.state).toEqual({ '/k/0': `other ${writes - 2}`, '/k/1': `other ${writes - 1}` });
    expect(['restored', 'cluster-changed']).toContain(recorder.notices[0]?.reason);
    otherDirect.close();
    await other.stop();
  });
});
