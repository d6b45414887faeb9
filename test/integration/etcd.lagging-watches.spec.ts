import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { GrpcReverseProxy } from '../support/grpc-reverse-proxy.js';
import { allFollow, watchMany } from '../support/many-watches.js';
import { ownEtcd } from '../support/own-etcd.js';
import { Recorder } from '../support/recorder.js';
import { startApp } from '../support/start-app.js';

/** More than the streams that lagging watches may use at a time. */
const STUCK = 12;
const MAX_STREAMS = 1 + 8;
const ROUNDS = 1_500;

describe('listeners that do not consume their events', () => {
  const etcd = ownEtcd();

  it('leave the shared stream, hold up no other watch and no call, and catch up in the end', async () => {
    using proxy = await GrpcReverseProxy.start(etcd.first.endpoint);
    await using app = await startApp({ hosts: proxy.endpoint, shutdown: { drainTimeoutMs: 100 } });
    let release!: () => void;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const stuck = Array.from({ length: STUCK }, () => new Recorder());
    for (const [index, recorder] of stuck.entries()) {
      await app.watcher.watch(
        `/stuck/${index}/`,
        async (event) => {
          await released;
          recorder.onEvent(event);
        },
        { initial: false, order: 'target', onResync: recorder.onResync },
      );
    }
    const others = await watchMany(app.watcher, 20, '/other/');
    await eventually(() => allFollow(others));

    const written: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const entries = [...stuck.keys()].map((index) => [`/stuck/${index}/${round}`, 'x'.repeat(500)]);
      written.push(await etcd.putTogether(Object.fromEntries(entries) as Record<string, string>));
    }
    for (const { prefix } of others) await app.watcher.put(`${prefix}a`, 'x');
    await eventually(() => others.every(({ recorder }) => recorder.events.length === 1));
    // A watch that starts in the past needs an exclusive stream of its own, which the stuck ones must give back.
    const late = new Recorder();
    await app.watcher.watch('/other/0/', late.onEvent, { fromRevision: written[0] ?? 1 });
    await eventually(() => late.events.length === 1);

    expect(allFollow(others)).toBe(true);
    expect(stuck.flatMap(({ events }) => events)).toEqual([]);
    expect((await app.watcher.get('/other/0/a')).value.toString()).toBe('x');
    release();
    await eventually(() => stuck.every(({ events }) => events.length === ROUNDS));
    for (const { revisions, notices } of stuck) {
      expect(revisions).toEqual(written);
      expect(notices).toEqual([]);
    }
    expect(proxy.requestsOf('Watch').filter(({ stream }) => !stream.closed).length).toBeLessThanOrEqual(MAX_STREAMS);
    expect(proxy.accepted).toBe(1);
  });
});
