import { Etcd3 } from 'etcd3';
import { IsInt } from 'class-validator';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { PermissionDeniedError, UnknownOutcomeError } from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { Recorder } from '../support/recorder.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';

class Counter {
  @IsInt() count!: number;
}

describe('a listener does not affect other listeners', () => {
  const etcd = ownEtcd();

  it('when its handler hangs, on the prefix of a definition of the store', async () => {
    await using app = await startApp({
      hosts: etcd.hosts,
      configs: [{ prefix: '/stuck/', type: Counter }],
      shutdown: { drainTimeoutMs: 100 },
    });
    let release!: () => void;
    const stuck = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow: number[] = [];
    const hanging = await app.watcher.watch('/stuck/', async ({ revision }) => {
      slow.push(revision);
      await stuck;
    });
    const other = new Recorder();
    await app.watcher.watch('/stuck/', other.onEvent);
    const written: number[] = [];
    for (let count = 1; count <= 3_000; count += 1) {
      const { revision, visible } = await app.store.put(`/stuck/${count % 40}`, { count });
      expect(visible).toBe(true);
      expect(app.store.get(`/stuck/${count % 40}`, Counter)).toEqual({ count });
      written.push(revision);
    }
    await eventually(() => other.events.length === 3_000);

    expect(other.revisions).toEqual(written);
    expect(slow.length).toBe(16);
    expect(hanging.pending).toBeLessThanOrEqual(1_016);
    release();
    await eventually(() => slow.length === 3_000);
    expect([...slow].sort((a, b) => a - b)).toEqual(written);
  });

  it('when it fails and halts: it continues with the failed event, and misses no event', async () => {
    await using app = await startApp({ hosts: etcd.hosts });
    const handled: number[] = [];
    let isBroken = true;
    const halting = await app.watcher.watch(
      '/halt/',
      ({ revision }) => {
        if (isBroken) throw new Error('broken');
        handled.push(revision);
      },
      { order: 'target', retry: { attempts: 2, backoff: { initialMs: 1, maxMs: 1 } }, onExhausted: 'halt' },
    );
    const other = new Recorder();
    await app.watcher.watch('/halt/', other.onEvent);
    for (let count = 1; count <= 2_000; count += 1) await app.watcher.put(`/halt/${count % 40}`, 'x');
    await eventually(() => other.events.length === 2_000 && halting.halted !== undefined);

    expect(halting).toMatchObject({ paused: true, failures: 2, halted: { attempts: 2 } });
    expect(halting.halted?.event.revision).toBe(other.revisions[0]);
    expect(halting.pending).toBeLessThanOrEqual(1_001);
    isBroken = false;
    halting.resume();
    await eventually(() => handled.length === 2_000);
    expect(handled).toEqual(other.revisions);
    expect(halting).toMatchObject({ paused: false, halted: undefined });
  });

  it('when it hangs with delivery latest: it buffers one event per key and receives the last state', async () => {
    await using app = await startApp({ hosts: etcd.hosts });
    let release!: () => void;
    const stuck = new Promise<void>((resolve) => {
      release = resolve;
    });
    const given: Record<string, string> = {};
    const coalescing = await app.watcher.watch(
      '/latest/',
      async ({ key, value, previous }) => {
        expect(previous?.toString()).toBe(given[key]);
        given[key] = value?.toString() ?? '';
        await stuck;
      },
      { delivery: 'latest', concurrency: 2 },
    );
    const other = new Recorder();
    await app.watcher.watch('/latest/', other.onEvent);
    for (let count = 1; count <= 2_000; count += 1) await app.watcher.put(`/latest/${count % 40}`, String(count));
    await eventually(() => other.events.length === 2_000);

    expect(coalescing.pending).toBe(42);
    expect(coalescing.revision).toBe(other.revisions.at(-1));
    release();
    await eventually(() => coalescing.pending === 0);
    expect(given).toEqual(other.state);
    expect(coalescing.failures).toBe(0);
  });

  it('when it is denied', async () => {
    await using secured = await EtcdTestCluster.start();
    const admin = new Etcd3({ hosts: secured.hosts });
    const role = admin.role('reader');
    await role.create();
    await role.grant({ permission: 'Readwrite', range: admin.range({ prefix: '/allowed/' }) });
    const rootRole = admin.role('root');
    await rootRole.create();
    for (const [name, granted] of [
      ['root', 'root'],
      ['app', 'reader'],
    ] as const) {
      await admin.user(name).create('pass');
      await admin.user(name).addRole(granted);
    }
    await admin.auth.authEnable();
    admin.close();
    await using app = await startApp({
      hosts: secured.hosts,
      client: { hosts: secured.hosts, auth: { username: 'app', password: 'pass' } },
    });
    const recorder = new Recorder();
    await app.watcher.watch('/allowed/', recorder.onEvent);

    await expect(app.watcher.watch('/secret/', () => undefined)).rejects.toThrow(PermissionDeniedError);

    await app.watcher.put('/allowed/1', 'a');
    const again = new Recorder();
    await app.watcher.watch('/allowed/', again.onEvent);
    await app.watcher.put('/allowed/2', 'b');
    await eventually(() => recorder.events.length === 2 && again.events.length === 2);
  });

  it.each(['options', 'a supplied Etcd3'])(
    'when the answer of a put is lost: it is applied once and reported as unknown, with %s',
    async (kind) => {
      using proxy = await TcpProxy.start(etcd.first.clientPort);
      const supplied = new Etcd3({ hosts: proxy.endpoint });
      await using app = await startApp({
        hosts: proxy.endpoint,
        ...(kind === 'options' ? {} : { client: supplied }),
      });
      await app.watcher.put('/once', 'first');
      proxy.freeze('down');
      const lost = app.watcher.put('/once', 'second');
      await eventually(async () => (await etcd.direct.get('/once').string()) === 'second');
      proxy.cut();
      proxy.thaw();

      await expect(lost).rejects.toThrow(UnknownOutcomeError);
      const { kvs } = await etcd.direct.get('/once').exec();
      expect(Number(kvs[0]?.version)).toBe(2);
      supplied.close();
    },
  );
});
