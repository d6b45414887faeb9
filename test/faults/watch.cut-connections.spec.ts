import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { Recorder } from '../support/recorder.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const HISTORY = 5_000;

describe('a watch whose connection breaks', () => {
  const etcd = ownEtcd();
  const { put } = etcd;

  it('misses and repeats no event when it is cut at any byte of a catch-up of 5,000 events', async () => {
    const first = await put('/history/begin', '');
    for (let index = 0; index < HISTORY; index += 50) {
      await Promise.all(
        Array.from({ length: 50 }, (_, offset) => put(`/history/${(index + offset) % 97}`, `value ${index + offset}`)),
      );
    }
    const last = await put('/history/end', '');
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    await using app = await startApp({ hosts: proxy.endpoint });
    // An undisturbed run measures the number of bytes.
    const before = proxy.bytesDown;
    const undisturbed = new Recorder();
    const subscription = await app.watcher.watch('/history/', undisturbed.onEvent, { fromRevision: first });
    await eventually(() => undisturbed.events.length === HISTORY + 2);
    await subscription.close();
    const total = proxy.bytesDown - before;

    const expected = Array.from({ length: HISTORY + 2 }, (_, index) => first + index);
    expect(undisturbed.revisions).toEqual(expected);
    for (const at of [1, 9, 10, 40, 300, 5_000, total / 7, total / 3, total / 2, total - 2_000]) {
      const recorder = new Recorder();
      const subscription = await app.watcher.watch('/history/', recorder.onEvent, { fromRevision: first });
      proxy.cutAfter(Math.max(1, Math.floor(at)));
      await eventually(() => recorder.events.at(-1)?.revision === last);
      expect(recorder.revisions).toEqual(expected);
      expect(recorder.notices).toEqual([]);
      await subscription.close();
    }
  });

  it('misses and repeats no event when it is cut repeatedly during live traffic', async () => {
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    await using app = await startApp({ hosts: proxy.endpoint });
    const recorder = new Recorder();
    await app.watcher.watch('/live/', recorder.onEvent, { onResync: recorder.onResync });
    const written: number[] = [];
    let stopped = false;
    const writing = (async () => {
      for (let index = 0; !stopped; index += 1) written.push(await put(`/live/${index % 13}`, String(index)));
    })();
    for (let round = 0; round < 12; round += 1) {
      const seen = recorder.events.length;
      if (round % 4 === 0) proxy.cut();
      else if (round % 4 === 1) proxy.cut({ reset: true });
      else if (round % 4 === 2) proxy.cutAfter(500 + round * 37);
      else {
        proxy.refuse();
        proxy.cut();
        await eventually(() => written.length > seen + 50);
        await proxy.accept();
      }
      await eventually(() => recorder.events.length > seen + 30);
    }
    stopped = true;
    await writing;
    await eventually(() => recorder.events.at(-1)?.revision === written.at(-1));

    expect(recorder.revisions).toEqual(written);
    expect(recorder.notices).toEqual([]);
  });

  it('reconnects over a new link when the link goes silent, and misses no event', async () => {
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    await using app = await startApp({ hosts: proxy.endpoint });
    const recorder = new Recorder();
    await app.watcher.watch('/silent/', recorder.onEvent);
    const revisions = [await put('/silent/1', 'a')];
    await eventually(() => recorder.events.length === 1);
    proxy.freeze();
    revisions.push(await put('/silent/2', 'b'));
    const connections = proxy.accepted;
    // The keepalive and the time limit of the next stream detect the black hole. It must follow soon afterwards.
    await eventually(() => proxy.accepted > connections, { withinMs: 30_000 });
    proxy.thaw();
    revisions.push(await put('/silent/3', 'c'));
    await eventually(() => recorder.events.length === 3, { withinMs: 15_000 });

    expect(recorder.revisions).toEqual(revisions);
  });

  it('reconnects when events arrive, and nothing that it sends reaches the member', async () => {
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    await using app = await startApp({ hosts: proxy.endpoint });
    const recorder = new Recorder();
    await app.watcher.watch('/half/', recorder.onEvent);
    const revisions = [await put('/half/1', 'a')];
    await eventually(() => recorder.events.length === 1);
    proxy.freeze('up');
    const connections = proxy.accepted;
    await eventually(
      async () => {
        revisions.push(await put('/half/1', 'b'));
        return proxy.accepted > connections;
      },
      { withinMs: 30_000 },
    );
    proxy.thaw();
    await eventually(() => app.watcher.get('/half/1'));
    await eventually(() => recorder.events.length === revisions.length);

    expect(recorder.revisions).toEqual(revisions);
  });

  it('survives SIGKILL and restart of the server', async () => {
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    await using app = await startApp({ hosts: proxy.endpoint });
    const recorder = new Recorder();
    await app.watcher.watch('/killed/', recorder.onEvent, { onResync: recorder.onResync });
    const revisions = [await put('/killed/1', 'a')];
    await etcd.first.kill();
    await etcd.first.restart();
    revisions.push(await put('/killed/2', 'b'));
    await eventually(() => recorder.events.length === 2);

    expect(recorder.revisions).toEqual(revisions);
    expect(recorder.notices).toEqual([]);
  });
});
