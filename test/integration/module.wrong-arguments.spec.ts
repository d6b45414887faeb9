import { Injectable, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  BootError,
  ClusterCron,
  type DeliveryContext,
  EtcdTriggerModule,
  InvalidOptionsError,
  KeyParam,
  WatchKey,
  WatchKeyRegistry,
} from 'nestjs-etcd-trigger';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { Limit } from '../support/configs.js';
import { eventually } from '../support/eventually.js';
import { type StartedApp, startApp } from '../support/start-app.js';
import { quiet } from '../support/quiet-logger.js';

const nothing = undefined as never;
const limit = Object.assign(new Limit(), { count: 1 });
const configs = [
  { key: '/a', type: Limit },
  { key: '/layered', type: Limit, layers: ['/base'] },
];

/** A call that throws at once counts as one that rejects. */
const failureOf = (call: () => unknown): Promise<unknown> =>
  Promise.resolve()
    .then(call)
    .catch((error: unknown) => error);

describe('a wrong argument', () => {
  it.each<[string, (app: StartedApp) => unknown, string]>([
    ['get', ({ store }) => store.get(nothing, Limit), 'the key of a configuration must be a string, not undefined'],
    ['getOrThrow', ({ store }) => store.getOrThrow(nothing, Limit), 'the key of a configuration must be a string'],
    ['entry', ({ store }) => store.entry(nothing, Limit), 'the key of a configuration must be a string'],
    ['entries', ({ store }) => store.entries(nothing, Limit), 'the prefix of configurations must be a string'],
    ['keys', ({ store }) => store.keys(7 as never), 'the prefix of configurations must be a string, not number'],
    ['snapshot', ({ store }) => store.snapshot(7 as never), 'the prefix of configurations must be a string'],
    ['select', ({ store }) => store.select(nothing, Limit, () => 1), 'the key of a configuration must be a string'],
    ['select', ({ store }) => store.select('/a', Limit, nothing), 'select "/a": the projection must be a function'],
    ['fresh', ({ store }) => store.fresh(nothing, Limit), 'the key of a configuration must be a string'],
    ['put', ({ store }) => store.put(nothing, limit), 'put: the key must be a string, not undefined'],
    ['put', ({ store }) => store.put(nothing, Limit, limit), 'put: the key must be a string, not undefined'],
    ['put', ({ store }) => store.put(7 as never, limit), 'put: the key must be a string, not number'],
    ['delete', ({ store }) => store.delete(nothing), 'delete: the key must be a string'],
    ['update', ({ store }) => store.update(nothing, Limit, () => limit), 'the key of a configuration must be a string'],
    ['update', ({ store }) => store.update('/a', Limit, nothing), 'update "/a": the change must be a function'],
    ['history', ({ store }) => store.history(nothing), 'history: the key must be a string'],
    ['rollback', ({ store }) => store.rollback(nothing, 1), 'rollback: the key must be a string'],
    ['audit', ({ store }) => store.audit(nothing), 'audit: the key must be a string'],
    ['onChange', ({ store }) => store.onChange(nothing, () => 0), 'the prefix of a listener must be a string'],
    ['onChange', ({ store }) => store.onChange('/', nothing), 'the listener of "/" must be a function'],
    ['pinned', ({ store }) => store.pinned(nothing), 'the argument of pinned must be a function'],
    ['transaction', ({ store }) => store.transaction(nothing), 'the argument of a transaction must be a function'],
    [
      'tx.put',
      ({ store }) =>
        store.transaction((tx) => {
          tx.put(nothing, limit);
        }),
      'put in a transaction: the key must be a string',
    ],
    ['waitForRevision', ({ store }) => store.waitForRevision(nothing), 'the revision must be an integer of at least 0'],
    ['waitForRevision', ({ store }) => store.waitForRevision('1' as never), 'the revision must be an integer'],
    [
      'waitForRevision',
      ({ store }) => store.waitForRevision(1, { timeout: 1 } as never),
      '"timeout" of waitForRevision is not an option: did you mean "timeoutMs"?',
    ],
    ['get of bytes', ({ watcher }) => watcher.get(nothing), 'get: the key must be a non-empty string or Buffer'],
    [
      'pause',
      ({ app }) => {
        app.get(WatchKeyRegistry).pause('Orders.on');
      },
      'pause: no handler is named "Orders.on"; there',
    ],
  ])('is refused with a sentence, and nothing is written: %s', async (_, call, sentence) => {
    const fake = new FakeCluster();
    await using app = await startApp({ hosts: '', client: fake, configs });
    const failure = await failureOf(() => call(app));

    expect(failure).toBeInstanceOf(InvalidOptionsError);
    expect((failure as Error).message).toContain(sentence);
    expect(fake.keys()).toEqual([]);
  });

  it('of commit() is refused', async () => {
    const failures: unknown[] = [];
    @Injectable()
    class Orders {
      @WatchKey('/orders/', { group: 'billing' })
      async on(_: unknown, context: DeliveryContext): Promise<void> {
        failures.push(await failureOf(() => context.commit(nothing)));
        const toLayers = () =>
          context.commit((tx) => {
            tx.put('/layered', limit);
          });
        failures.push(await failureOf(toLayers));
      }
    }
    const fake = new FakeCluster({ '/orders/a': '1' });
    await using app = await startApp(
      { hosts: '', client: fake, configs, coordination: { prefix: '/co' } },
      { providers: [Orders] },
    );
    await eventually(() => failures.length >= 2);

    expect(failures.slice(0, 2).map(String)).toEqual([
      'InvalidOptionsError: the argument of commit() of Orders.on must be a function',
      'InvalidOptionsError: commit() of Orders.on: key "/layered" has layers, and cannot be written in it',
    ]);
    expect(() => {
      app.app.get(WatchKeyRegistry).resume('Orders.onn');
    }).toThrow('resume: no handler is named "Orders.onn"; the handlers are "Orders.on"');
    app.app.get(WatchKeyRegistry).pause('Orders');
  });

  it.each([true, {}, () => undefined])('is refused as a logger: %s', async (logger) => {
    const started = Test.createTestingModule({
      imports: [EtcdTriggerModule.forRoot({ client: { hosts: '127.0.0.1:1' }, logger: logger as never })],
    }).compile();

    await expect(started).rejects.toThrow('"logger" must have the methods log, warn and error, as Logger of');
  });

  it.each<[string, () => unknown, string]>([
    [
      'an option beside useFactory',
      () => EtcdTriggerModule.forRootAsync({ useFactory: () => ({ client: {} }), logger: quiet } as never),
      '"logger" of EtcdTriggerModule.forRootAsync belongs into the options that "useFactory" returns',
    ],
    [
      'a factory that returns nothing',
      () =>
        Test.createTestingModule({
          imports: [EtcdTriggerModule.forRootAsync({ useFactory: () => nothing })],
        }).compile(),
      '"useFactory" of EtcdTriggerModule.forRootAsync must return the options: at least { client',
    ],
  ])('of forRootAsync is refused: %s', async (_, call, sentence) => {
    const failure = await failureOf(call);

    expect(failure).toBeInstanceOf(InvalidOptionsError);
    expect((failure as Error).message).toContain(sentence);
  });

  it('of @KeyParam() stops the start', async () => {
    @Injectable()
    class Orders {
      @WatchKey('/orders/:id')
      on(@KeyParam(nothing) id: string): string {
        return id;
      }
    }
    const failure = await failureOf(() => startApp({ hosts: '', client: new FakeCluster() }, { providers: [Orders] }));

    expect(failure).toBeInstanceOf(BootError);
    expect((failure as Error).message).toContain(
      '@KeyParam() of parameter 0 needs the name of a parameter of the target',
    );
  });

  it('is a class with a group or a job that two modules provide', async () => {
    @Injectable()
    class Twice {
      @WatchKey('/orders/', { group: 'billing' })
      on(): void {
        // Never called.
      }
      @ClusterCron('* * * * *', { name: 'report' })
      run(): void {
        // Never called.
      }
    }
    @Module({ providers: [Twice] })
    class One {}
    @Module({ providers: [Twice] })
    class Other {}
    const options = { client: new FakeCluster(), logger: quiet, coordination: { prefix: '/co' } };
    const module = await Test.createTestingModule({
      imports: [EtcdTriggerModule.forRoot(options), One, Other],
    }).compile();
    const failure = await failureOf(() => module.init());

    expect(failure).toBeInstanceOf(BootError);
    expect((failure as BootError).problems.map(({ message }) => message)).toEqual([
      expect.stringMatching(/the name "report" is already used by another Twice.run: provide the class in one module/),
      expect.stringMatching(/the group "billing" is already used by another Twice.on: provide the class in one module/),
    ]);
  });
});
