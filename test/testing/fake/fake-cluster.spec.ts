import { Injectable, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { IsInt } from 'class-validator';
import { Etcd3 } from 'etcd3';
import {
  EtcdTriggerModule,
  InjectEtcdClient,
  InjectStore,
  InvalidOptionsError,
  StoreService,
  UnknownOutcomeError,
  WatchKey,
  WatcherService,
  type WatchEvent,
} from 'nestjs-etcd-trigger';
import { EtcdTriggerTestingModule, FakeCluster, getFakeClusterToken, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { quiet } from '../../support/quiet-logger.js';
import { startApp } from '../../support/start-app.js';

class Limit {
  @IsInt() count!: number;
}

@Injectable()
class Limits {
  readonly seen: string[] = [];

  constructor(
    readonly store: StoreService,
    @InjectStore('other') readonly otherStore: StoreService,
    @InjectEtcdClient() readonly client: Etcd3,
  ) {}

  @WatchKey('/events/', { cluster: 'other' })
  onEvent({ key, value }: WatchEvent): void {
    this.seen.push(`${key}=${value?.toString() ?? '-'}`);
  }
}

@Module({ imports: [EtcdTriggerModule.forFeature([{ key: '/feature', type: Limit }])] })
class FeatureModule {}

/** An unchanged application with two clusters, whose hosts do not exist in the test environment. */
@Module({
  imports: [
    FeatureModule,
    EtcdTriggerModule.forRootAsync({
      useFactory: () => ({
        client: { hosts: process.env.NO_SUCH_VARIABLE ?? '' },
        keyPrefix: '/app',
        configs: [{ key: '/limit', type: Limit, required: true }],
        logger: quiet,
      }),
    }),
    EtcdTriggerModule.forRoot({ cluster: 'other', client: { hosts: 'localhost:1' }, logger: quiet }),
  ],
  providers: [Limits],
})
class AppModule {}

describe('FakeCluster', () => {
  it('replaces etcd in an unchanged application', async () => {
    const etcd = new FakeCluster({ '/app/limit': { count: 1 }, '/app/feature': { count: 2 } });
    const other = new FakeCluster({ '/events/1': 'before' });
    const builder = Test.createTestingModule({ imports: [AppModule] });
    const app = await other.replaceIn(etcd.replaceIn(builder), 'other').compile();
    await app.init();
    const limits = app.get(Limits);
    etcd.put('/app/limit', { count: 3 });
    other.putAll({ '/events/2': 'x', '/events/3': 'y' });
    await settled(app);

    expect(limits.store.get('/limit', Limit)).toEqual({ count: 3 });
    expect(limits.store.get('/feature', Limit)).toEqual({ count: 2 });
    expect(limits.seen).toEqual(['/events/1=before', '/events/2=x', '/events/3=y']);
    await limits.store.put('/limit', { count: 4 });
    expect(etcd.json('/app/limit')).toEqual({ count: 4 });
    await app.close();
  });

  it('can be passed as the client option and shared by two applications', async () => {
    const client = new FakeCluster();
    await using one = await startApp({ hosts: '', client, configs: [{ prefix: '/l/', type: Limit }] });
    await using two = await startApp({ hosts: '', client, configs: [{ prefix: '/l/', type: Limit }] });
    await one.store.put('/l/a', { count: 1 });
    await settled(client);

    expect(two.store.get('/l/a', Limit)).toEqual({ count: 1 });
  });

  it('explains that an Etcd3 client cannot be used with it', async () => {
    const etcd = new FakeCluster({ '/app/limit': { count: 1 } });
    const builder = etcd.replaceIn(Test.createTestingModule({ imports: [AppModule] }));
    const { client } = (await new FakeCluster().replaceIn(builder, 'other').compile()).get(Limits);
    const advice =
      'this application runs on a FakeCluster, which no Etcd3 can talk to; use WatcherService or StoreService, or test this part on an EtcdTestCluster';

    expect(client).toBeInstanceOf(Etcd3);
    expect(() => client.get('/a')).toThrow(new InvalidOptionsError(`Etcd3.get(): ${advice}`));
    expect(() => client.getRoles()).toThrow(`Etcd3.getRoles(): ${advice}`);
    expect(() => client.kv.range({})).toThrow(`Etcd3.kv: ${advice}`);
  });

  it('writes strings and bytes unchanged and all other values as JSON', () => {
    const etcd = new FakeCluster({ '/text': 'text', '/bytes': Buffer.from([255]), '/json': { a: [1, null] } });
    etcd.put('/number', 1);

    expect(etcd.revision).toBe(3);
    expect(etcd.keys()).toEqual(['/bytes', '/json', '/number', '/text']);
    expect([etcd.text('/text'), etcd.text('/json'), etcd.text('/number')]).toEqual(['text', '{"a":[1,null]}', '1']);
    expect(etcd.get('/bytes')).toMatchObject({ value: Buffer.from([255]), revision: 2, version: 1 });
    expect([etcd.get('/absent'), etcd.text('/absent'), etcd.json('/absent')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(etcd.delete('/text')).toEqual({ revision: 4, deleted: 1 });
    expect(etcd.delete('/text')).toEqual({ revision: 4, deleted: 0 });
  });

  it('rejects invalid calls with one sentence', () => {
    const etcd = new FakeCluster({ '/a': 'x' });

    expect(() => etcd.put('/f', () => 1)).toThrow(
      new InvalidOptionsError('the value for "/f" cannot be written as JSON: pass a string, a Buffer or plain data', {
        key: '/f',
      }),
    );
    expect(() => etcd.put('', 'x')).toThrow('transaction: the key is empty, and etcd has no empty key');
    expect(() => {
      etcd.compact(7);
    }).toThrow('compact(7): the store is at 2 and compacted up to 0; pass a revision in between');
    expect(() => {
      etcd.advance(-1);
    }).toThrow('advance(-1): pass 0 or more milliseconds');
  });

  it('expires leases by its virtual clock', () => {
    const etcd = new FakeCluster();
    const [short, long] = [etcd.grantLease(5), etcd.grantLease(60)];
    etcd.put('/short', 'x', { lease: short });
    etcd.put('/long', 'x', { lease: long });
    etcd.put('/forever', 'x');
    etcd.advance(4_999);
    expect(etcd.keys()).toEqual(['/forever', '/long', '/short']);
    etcd.advance(1);
    expect(etcd.keys()).toEqual(['/forever', '/long']);
    etcd.revokeLease(long);
    expect(etcd.keys()).toEqual(['/forever']);
    expect(() => etcd.put('/late', 'x', { lease: long })).toThrow('requested lease not found');
  });

  it('keeps leases of an application alive until it is disconnected for too long', async () => {
    const etcd = new FakeCluster();
    await using started = await startApp({ hosts: '', client: etcd, configs: [{ prefix: '/l/', type: Limit }] });
    await started.store.put('/l/a', { count: 1 }, { lease: { ttlSeconds: 10 } });
    etcd.advance(60_000);
    expect(etcd.keys()).toEqual(['/l/a']);
    etcd.disconnect();
    etcd.advance(9_000);
    etcd.reconnect();
    etcd.advance(9_000);
    expect(etcd.keys()).toEqual(['/l/a']);
    etcd.disconnect();
    etcd.advance(10_000);
    expect(etcd.keys()).toEqual([]);
  });

  it('holds back responses while it is frozen, until the request times out on the virtual clock', async () => {
    const etcd = new FakeCluster({ '/a': '1' });
    await using started = await startApp({ hosts: '', client: etcd, requestTimeoutMs: 1_000 });
    etcd.freeze();
    const read = started.watcher.get('/a');
    const write = started.watcher.put('/a', '2');
    expect(etcd.text('/a')).toBe('2');
    etcd.thaw();
    expect((await read).value.toString()).toBe('2');
    expect(await write).toEqual({ revision: 3 });

    etcd.freeze();
    const lost = started.watcher.put('/a', '3');
    etcd.advance(1_000);
    await expect(lost).rejects.toThrow(UnknownOutcomeError);
    expect(etcd.text('/a')).toBe('3');
  });

  it('denies new requests and watches, like etcd, but not running watches', async () => {
    const etcd = new FakeCluster();
    await using started = await startApp({ hosts: '', client: etcd, configs: [{ prefix: '/l/', type: Limit }] });
    etcd.deny('/l/');
    await expect(started.store.put('/l/a', { count: 1 })).rejects.toThrow('put "/l/a": etcdserver: permission denied');
    etcd.put('/l/a', { count: 2 });
    await settled(started.app);
    expect(started.store.get('/l/a', Limit)).toEqual({ count: 2 });

    etcd.disconnect();
    etcd.reconnect();
    etcd.put('/l/a', { count: 3 });
    await settled(started.app);
    expect([started.store.status, started.store.get('/l/a', Limit)]).toEqual(['stale', { count: 2 }]);

    etcd.allow('/l/');
    await settled(started.app);
    expect([started.store.status, started.store.get('/l/a', Limit)]).toEqual(['ready', { count: 3 }]);
  });

  it('restores a snapshot', async () => {
    const etcd = new FakeCluster({ '/l/a': { count: 1 }, '/l/b': { count: 1 } });
    await using started = await startApp({ hosts: '', client: etcd, configs: [{ prefix: '/l/', type: Limit }] });
    const backup = etcd.snapshot();
    etcd.put('/l/a', { count: 2 });
    etcd.delete('/l/b');
    await settled(started.app);
    etcd.restore(backup);
    await settled(started.app);

    expect(etcd.revision).toBe(2);
    expect(Object.fromEntries(started.store.entries('/l/', Limit))).toEqual({
      '/l/a': { count: 1 },
      '/l/b': { count: 1 },
    });
  });

  it('restores the leases of a snapshot with their full time, and forgets all others', () => {
    const etcd = new FakeCluster();
    const old = etcd.grantLease(10);
    etcd.put('/old', '1', { lease: old });
    const backup = etcd.snapshot();
    etcd.advance(8_000);
    const late = etcd.grantLease(10);
    etcd.put('/late', '1', { lease: late });
    etcd.restore(backup);

    expect(() => etcd.put('/new', '1', { lease: late })).toThrow('lease');
    etcd.advance(9_000);
    expect(etcd.keys('/')).toEqual(['/old']);
    etcd.advance(2_000);
    expect(etcd.keys('/')).toEqual([]);
  });
});

describe('EtcdTriggerTestingModule', () => {
  it('provides the services of the module, and the fake', async () => {
    const app = await Test.createTestingModule({
      imports: [
        EtcdTriggerTestingModule.forRoot({
          configs: [{ key: '/limit', type: Limit, required: true }],
          initial: { '/limit': { count: 1 } },
        }),
        EtcdTriggerTestingModule.forRoot({ cluster: 'other' }),
      ],
      providers: [Limits],
    }).compile();
    await app.init();
    app.get(FakeCluster).put('/limit', { count: 2 });
    app.get<FakeCluster>(getFakeClusterToken('other')).put('/events/1', 'x');
    await settled(app);

    expect(app.get(StoreService).get('/limit', Limit)).toEqual({ count: 2 });
    expect(app.get(WatcherService)).toBeInstanceOf(WatcherService);
    expect(app.get(Limits).seen).toEqual(['/events/1=x']);
    await app.close();
  });
});
