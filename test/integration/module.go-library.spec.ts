import { Injectable } from '@nestjs/common';
import { IsString } from 'class-validator';
import { Etcd3 } from 'etcd3';
import { BootError, InjectEtcdClient, StoreService, WatchKey, type WatchEvent } from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { CollectingLogger } from '../support/collecting-logger.js';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { Recorder } from '../support/recorder.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';

class Database {
  @IsString() url!: string;
}

describe('the features of the Go library', () => {
  const etcd = ownEtcd();
  const { put } = etcd;

  it('Watch: initial values, then changes', async () => {
    await using app = await startApp({ hosts: etcd.hosts });
    await put('/w/1', 'a');
    const recorder = new Recorder();
    await app.watcher.watch('/w/', recorder.onEvent);
    await put('/w/2', 'b');
    await eventually(() => recorder.events.length === 2);
    expect(recorder.state).toEqual({ '/w/1': 'a', '/w/2': 'b' });
  });

  it('WatchPut, WatchGet, WatchDelete: single keys', async () => {
    await using app = await startApp({ hosts: etcd.hosts });
    await app.watcher.put('/k', 'value');
    expect((await app.watcher.get('/k')).value.toString()).toBe('value');
    expect(await app.watcher.delete('/k')).toMatchObject({ deleted: 1 });
  });

  it('Configs, GetConfig, PutConfig, DeleteConfig, GetAllKeys: typed configuration in memory', async () => {
    await put('/db/a', '{"url":"a"}');
    await using app = await startApp({ hosts: etcd.hosts, configs: [{ prefix: '/db/', type: Database }] });
    expect(app.store.get('/db/a', Database)).toEqual({ url: 'a' });
    await app.store.put('/db/b', { url: 'b' });
    expect(app.store.keys()).toEqual(['/db/a', '/db/b']);
    await app.store.delete('/db/a');
    expect(app.store.keys()).toEqual(['/db/b']);
  });

  it('AddPrefixWatcher: changes under a prefix', async () => {
    await using app = await startApp({ hosts: etcd.hosts, configs: [{ prefix: '/db/', type: Database }] });
    const seen: string[] = [];
    app.store.onChange('/db/', ({ type, key }) => seen.push(`${type} ${key}`));
    await app.store.put('/db/a', { url: 'a' });
    await app.store.delete('/db/a');
    expect(seen).toEqual(['put /db/a', 'delete /db/a']);
  });

  it('Client(): the etcd client itself', async () => {
    @Injectable()
    class Direct {
      constructor(@InjectEtcdClient() readonly client: Etcd3) {}
    }
    await using app = await startApp({ hosts: etcd.hosts }, { providers: [Direct] });
    const { client } = app.app.get(Direct);
    await client.put('/direct').value('x');
    expect(await client.get('/direct').string()).toBe('x');
  });

  it('PodName, ServiceName: the identity of the instance in every log line', async () => {
    const log = new CollectingLogger();
    const proxy = await TcpProxy.start(etcd.first.clientPort);
    await using app = await startApp({
      hosts: proxy.endpoint,
      logger: log,
      serviceName: 'orders',
      podName: 'orders-7',
    });
    await app.watcher.watch('/w/', () => undefined);
    proxy.refuse();
    proxy.cut();
    await eventually(() => log.lines.length === 1);
    await proxy.accept();
    await eventually(() => log.lines.length === 2);

    expect(log.lines.map(({ level }) => level)).toEqual(['warn', 'log']);
    for (const { text } of log.lines) expect(text).toContain('[service=orders pod=orders-7]');
    proxy.stop();
  });
});

describe('the problems of the Go library are solved', () => {
  const etcd = ownEtcd();
  const { put } = etcd;

  it('there is no gap between the first read and the watch', async () => {
    let stopped = false;
    const writing = (async () => {
      for (let index = 0; !stopped; index += 1) await put('/gap/1', String(index));
    })();
    for (let round = 0; round < 10; round += 1) {
      const seen: WatchEvent[] = [];
      class Handler {
        @WatchKey('/gap/')
        onEvent(event: WatchEvent): void {
          seen.push(event);
        }
      }
      await using app = await startApp({ hosts: etcd.hosts }, { providers: [Handler] });
      expect(app.store.status).toBe('ready');
      await eventually(() => seen.length > 20);
      // There is no other writer, so every revision is one of these events.
      const first = seen[0]?.revision ?? 0;
      expect(seen.map(({ revision }) => revision)).toEqual(seen.map((_, index) => first + index));
    }
    stopped = true;
    await writing;
  });

  it('a watch survives a compaction', async () => {
    const proxy = await TcpProxy.start(etcd.first.clientPort);
    await using app = await startApp({ hosts: proxy.endpoint });
    const recorder = new Recorder();
    await app.watcher.watch('/c/', recorder.onEvent);
    proxy.refuse();
    proxy.cut();
    await put('/c/1', 'a');
    await etcd.compact(await put('/c/2', 'b'));
    await proxy.accept();
    await eventually(() => recorder.events.length === 2);
    await put('/c/3', 'c');
    await eventually(() => recorder.events.length === 3);
    expect(recorder.state).toEqual({ '/c/1': 'a', '/c/2': 'b', '/c/3': 'c' });
    proxy.stop();
  });

  it('a watch can be stopped', async () => {
    await using app = await startApp({ hosts: etcd.hosts });
    const recorder = new Recorder();
    const subscription = await app.watcher.watch('/s/', recorder.onEvent);
    await subscription.close();
    const other = new Recorder();
    await app.watcher.watch('/s/', other.onEvent);
    await put('/s/1', 'a');
    await eventually(() => other.events.length === 1);
    expect(recorder.events).toEqual([]);
  });

  it('a second listener of a prefix does not replace the first', async () => {
    await using app = await startApp({ hosts: etcd.hosts, configs: [{ prefix: '/db/', type: Database }] });
    const seen: string[] = [];
    app.store.onChange('/db/', () => seen.push('first'));
    app.store.onChange('/db/', () => seen.push('second'));
    await app.store.put('/db/a', { url: 'a' });
    expect(seen).toEqual(['first', 'second']);
  });

  it('two configurations of one type are independent', async () => {
    await put('/main', '{"url":"main"}');
    await put('/replica', '{"url":"replica"}');
    await using app = await startApp({
      hosts: etcd.hosts,
      configs: [
        { key: '/main', type: Database },
        { key: '/replica', type: Database },
      ],
    });
    await app.store.delete('/replica');
    expect(app.store.get('/main', Database)).toEqual({ url: 'main' });
    expect(app.store.get('/replica', Database)).toBeUndefined();
  });

  it('the key /db does not include /db2', async () => {
    await put('/db', '{"url":"db"}');
    await put('/db2', '{"url":"db2"}');
    await using app = await startApp({ hosts: etcd.hosts, configs: [{ key: '/db', type: Database }] });
    expect(app.store.keys()).toEqual(['/db']);
    expect(() => app.store.get('/db2', Database)).toThrow(/no definition covers it/);
  });

  it('a value that is read cannot be changed', async () => {
    await put('/db', '{"url":"db"}');
    await using app = await startApp({ hosts: etcd.hosts, configs: [{ key: '/db', type: Database }] });
    const database = app.store.getOrThrow('/db', Database);
    expect(() => {
      database.url = 'mine';
    }).toThrow(TypeError);
    expect(app.store.get('/db', Database)).toEqual({ url: 'db' });
  });

  it('a failed start fails the application', async () => {
    await expect(
      startApp({ hosts: 'http://127.0.0.1:1', configs: [{ key: '/db', type: Database, required: true }] }),
    ).rejects.toThrow(BootError);
  });

  it('a write is visible to the next read, without a sleep', async () => {
    await using app = await startApp({ hosts: etcd.hosts, configs: [{ key: '/db', type: Database }] });
    const { store } = { store: app.app.get(StoreService) };
    for (let index = 0; index < 50; index += 1) {
      await store.put('/db', { url: String(index) });
      expect(store.get('/db', Database)).toEqual({ url: String(index) });
    }
  });
});
