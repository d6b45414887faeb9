import { Injectable, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  BootError,
  ClusterCron,
  ClusterLocks,
  ClusterServices,
  type ConfigDefinition,
  EtcdTriggerModule,
  type EtcdTriggerOptions,
  type Fence,
  InvalidOptionsError,
  OnElected,
  OnLeadershipLost,
  OnWatchError,
  WatcherService,
  WatchKey,
  type WatchKeyOptions,
} from 'nestjs-etcd-trigger';
import { EtcdTriggerTestingModule, FakeCluster } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { Limit } from '../support/configs.js';
import { startApp } from '../support/start-app.js';
import { quiet } from '../support/quiet-logger.js';

const HOSTS = { hosts: '127.0.0.1:1' };

const messageOf = async (run: () => Promise<unknown>, type: new (...args: never[]) => Error = InvalidOptionsError) => {
  const failure: unknown = await run().catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(type);
  return (failure as Error).message;
};
const start = async (options: object): Promise<unknown> =>
  Test.createTestingModule({
    imports: [EtcdTriggerModule.forRoot({ client: HOSTS, logger: quiet, ...options })],
  }).compile();

/** A call that throws at once counts as one that rejects. */
const settle = (call: () => unknown): Promise<unknown> => Promise.resolve().then(call);
const limit = Object.assign(new Limit(), { count: 1 });
const NO_FENCE = { fence: undefined } as object as { fence?: Fence };

const startWithCoordination = async () => {
  const fake = new FakeCluster();
  const configs = [{ key: '/a', type: Limit }];
  const started = await startApp({ hosts: '', client: fake, configs, coordination: { prefix: '/coordination' } });
  const { app } = started;
  return { ...started, fake, locks: app.get(ClusterLocks), services: app.get(ClusterServices) };
};
type TestApp = Awaited<ReturnType<typeof startWithCoordination>>;

describe('an unknown option', () => {
  it.each([
    [{ bot: {} }, '"bot" is not an option: did you mean "boot"?'],
    [{ boot: { retries: 1 } }, '"boot.retries" is not an option: the options are boot.policy, boot.timeoutMs'],
    [{ boot: { timoutMs: 1 } }, '"boot.timoutMs" is not an option: did you mean "boot.timeoutMs"?'],
    [{ snapshot: { directory: '/x', maxAgeMS: 1 } }, 'did you mean "snapshot.maxAgeMs"?'],
    [{ shutdown: { drainTimeout: 1 } }, 'did you mean "shutdown.drainTimeoutMs"?'],
    [{ handlers: { registers: false } }, 'did you mean "handlers.register"?'],
    [{ watchDefaults: { retry: { attempts: 2, backof: {} } } }, 'did you mean "watchDefaults.retry.backoff"?'],
    [{ client: { ...HOSTS, host: 'a' } }, '"client.host" is not an option: did you mean "client.hosts"?'],
    [
      { client: { ...HOSTS, credentials: { rootCert: Buffer.of() } } },
      '"client.credentials.rootCert" is not an option: the options are client.credentials.rootCertificate',
    ],
    [
      { configs: [{ key: '/a', type: Limit, requierd: true }] },
      '"requierd" of key "/a" is not an option: did you mean "required"?',
    ],
    [{ configs: [{ kye: '/a', type: Limit }] }, '"kye" of a definition is not an option'],
  ])('of the module stops the start: %j', async (options, message) => {
    expect(await messageOf(() => start(options))).toContain(message);
  });

  it('is found beside and within the result of a factory, and in forFeature', async () => {
    const asyncOptions = { useFactory: () => ({ client: HOSTS, bot: {} }) as unknown as EtcdTriggerOptions };
    const misplaced = { useFactory: () => ({ client: HOSTS, cluster: 'a' }) as unknown as EtcdTriggerOptions };
    const definition = { prefix: '/a/', type: Limit, onDeleted: 'keep-last' } as unknown as ConfigDefinition;
    const startAsync = (imports: Parameters<typeof EtcdTriggerModule.forRootAsync>[0]) =>
      Test.createTestingModule({ imports: [EtcdTriggerModule.forRootAsync(imports)] }).compile();

    expect(await messageOf(() => startAsync(asyncOptions))).toContain('did you mean "boot"?');
    expect(await messageOf(() => startAsync(misplaced))).toContain('"cluster" is set beside useFactory');
    expect(await messageOf(async () => startAsync({ ...asyncOptions, injects: [] } as typeof asyncOptions))).toContain(
      '"injects" of EtcdTriggerModule.forRootAsync is not an option: did you mean "inject"?',
    );
    expect(
      await messageOf(() =>
        Test.createTestingModule({
          imports: [EtcdTriggerTestingModule.forRoot({ logger: quiet }), EtcdTriggerModule.forFeature([definition])],
        }).compile(),
      ),
    ).toContain('"onDeleted" of prefix "/a/" is not an option: did you mean "onDelete"?');
  });

  it('of a decorator or a watch is refused', async () => {
    @Injectable()
    class Handlers {
      @WatchKey('/orders/', { concurency: 2 } as WatchKeyOptions)
      onOrder(): void {
        // Never called.
      }
    }
    @Module({ imports: [EtcdTriggerTestingModule.forRoot({ logger: quiet })] })
    class WithoutHandlers {}
    const module = await Test.createTestingModule({ imports: [WithoutHandlers] }).compile();
    const withHandlers = await Test.createTestingModule({
      imports: [WithoutHandlers],
      providers: [Handlers],
    }).compile();

    expect(await messageOf(() => withHandlers.init(), BootError)).toContain(
      'Handlers.onOrder: "concurency" of @WatchKey is not an option: did you mean "concurrency"?',
    );
    expect(() => OnWatchError('/a/', { clusters: 'a' } as { cluster?: string })).toThrow('did you mean "cluster"?');
    expect(
      await messageOf(() =>
        module.get(WatcherService).watch('/a/', () => undefined, { intial: false } as WatchKeyOptions),
      ),
    ).toContain('"intial" of watch() is not an option: did you mean "initial"?');
    await module.close();
  });

  it.each<[string, (app: TestApp) => unknown, string]>([
    ['put', ({ store }) => store.put('/a', limit, { ifRevsion: 1 } as never), 'did you mean "ifRevision"?'],
    ['put', ({ store }) => store.put('/a', limit, { lease: { ttl: 5 } } as never), '"lease.ttl" of put "/a"'],
    ['delete', ({ store }) => store.delete('/a', { ifAbsent: true } as never), '"ifAbsent" of delete "/a"'],
    ['update', ({ store }) => store.update('/a', Limit, () => limit, { ifRevision: 1 } as never), 'of update "/a"'],
    ['history', ({ store }) => store.history('/a', { limits: 2 } as never), 'did you mean "limit"?'],
    ['onChange', ({ store }) => store.onChange('/', () => 0, { debounce: 2 } as never), '"debounceMs"?'],
    [
      'tx.put',
      ({ store }) =>
        store.transaction((tx) => {
          tx.put('/a', limit, { fence: {} } as never);
        }),
      '"fence" of put',
    ],
    ['raw put', ({ watcher }) => watcher.put('/raw', 'x', { ifRevision: 1 } as never), '"ifRevision" of put "/raw"'],
    ['raw delete', ({ watcher }) => watcher.delete('/raw', { fense: 1 } as never), 'did you mean "fence"?'],
    ['lock', ({ locks }) => locks.acquire('a', { wait: 1 } as never), '"wait" of the lock "a"'],
    ['service', ({ services }) => services.register('a', { n: 1 }, { is: 'b' } as never), 'did you mean "id"?'],
  ])('of a call is refused, and nothing is written: %s', async (_, call, message) => {
    await using app = await startWithCoordination();

    expect(await messageOf(() => settle(() => call(app)))).toContain(message);
    expect(app.fake.keys()).toEqual([]);
  });

  it.each<[string, (app: TestApp) => unknown]>([
    ['put', ({ store }) => store.put('/a', limit, NO_FENCE)],
    ['update', ({ store }) => store.update('/a', Limit, () => limit, NO_FENCE)],
    ['delete', ({ store }) => store.delete('/a', NO_FENCE)],
    ['raw put', ({ watcher }) => watcher.put('/a', 'x', NO_FENCE)],
    ['raw delete', ({ watcher }) => watcher.delete('/a', NO_FENCE)],
  ])('a fence that is undefined, like the term of another leader, is refused: %s', async (_, call) => {
    await using app = await startWithCoordination();

    expect(await messageOf(() => settle(() => call(app)))).toContain(
      '"/a": "fence" is undefined, like the term of an election',
    );
    expect(app.fake.keys()).toEqual([]);
  });

  it.each([
    [() => OnElected('a', { clustr: 'b' } as never), 'did you mean "cluster"?'],
    [() => OnLeadershipLost('a', { clustr: 'b' } as never), 'did you mean "cluster"?'],
    [() => ClusterCron('* * * * *', { name: 'a', timezone: 'UTC' } as never), 'did you mean "timeZone"?'],
    [() => ClusterCron('* * * * *', undefined as never), '@ClusterCron needs a name for its job'],
  ])('of a decorator of the coordination is refused', async (decorate, message) => {
    expect(await messageOf(() => settle(decorate))).toContain(message);
  });
});
