import { Controller, Inject, Injectable, Module, Scope } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { IsInt, IsString } from 'class-validator';
import {
  EtcdTriggerModule,
  type EtcdTriggerOptionsFactory,
  getWatcherToken,
  InjectWatcher,
  InvalidOptionsError,
  OnWatchResync,
  type ResyncNotice,
  StoreService,
  WatcherService,
  WatchKey,
  type WatchEvent,
} from 'nestjs-etcd-trigger';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { quiet } from '../support/quiet-logger.js';

class DatabaseConfig {
  @IsString() host!: string;
  @IsInt() port!: number;
}

describe('EtcdTriggerModule', () => {
  const etcd = ownEtcd();
  const { put } = etcd;

  const options = () => ({ client: { hosts: etcd.hosts }, logger: quiet });

  it('loads configurations before any provider that injects the store is created, and follows them', async () => {
    await put('/app/db', { host: 'one', port: 1 });
    const seen: unknown[] = [];
    @Injectable()
    class Reader {
      constructor(readonly store: StoreService) {
        seen.push(store.getOrThrow('/app/db', DatabaseConfig));
      }
    }
    const app = await Test.createTestingModule({
      imports: [EtcdTriggerModule.forRoot({ ...options(), configs: [{ key: '/app/db', type: DatabaseConfig }] })],
      providers: [Reader],
    }).compile();

    expect(seen).toEqual([{ host: 'one', port: 1 }]);
    expect(seen[0]).toBeInstanceOf(DatabaseConfig);

    await app.init();
    const { store } = app.get(Reader);
    await put('/app/db', { host: 'two', port: 2 });
    await eventually(() => store.get('/app/db', DatabaseConfig)?.host === 'two');

    await app.close();
    expect(store.status).toBe('closed');
  });

  it('calls decorated methods of providers and controllers, inherited ones included, with one instance per event if request-scoped', async () => {
    const seen: string[] = [];
    class Base {
      @WatchKey('/events/')
      onEvent({ key }: WatchEvent) {
        seen.push(`${this.constructor.name} ${key}`);
      }
    }
    @Injectable()
    class Provider extends Base {}
    @Controller()
    class Http extends Base {}
    let instances = 0;
    @Injectable({ scope: Scope.REQUEST })
    class PerEvent {
      readonly number = (instances += 1);
      @WatchKey({ key: '/events/1' })
      @WatchKey({ key: '/events/2' })
      onEvent({ key }: WatchEvent) {
        seen.push(`PerEvent${this.number} ${key}`);
      }
    }
    const app = await Test.createTestingModule({
      imports: [EtcdTriggerModule.forRootAsync({ useFactory: options })],
      providers: [Provider, PerEvent],
      controllers: [Http],
    }).compile();
    await put('/events/1', 'x');
    await app.init();
    await eventually(() => seen.length === 3);
    await put('/events/2', 'y');
    await eventually(() => seen.length === 6);

    expect(seen.sort()).toEqual([
      'Http /events/1',
      'Http /events/2',
      'PerEvent1 /events/1',
      'PerEvent2 /events/2',
      'Provider /events/1',
      'Provider /events/2',
    ]);
    await app.close();
  });

  it('isolates named clusters in one application', async () => {
    const other = await EtcdTestCluster.start();
    @Injectable()
    class Both {
      constructor(
        readonly main: WatcherService,
        @InjectWatcher('audit') readonly audit: WatcherService,
      ) {}
    }
    const app = await Test.createTestingModule({
      imports: [
        EtcdTriggerModule.forRoot(options()),
        EtcdTriggerModule.forRoot({ client: { hosts: other.endpoints }, cluster: 'audit', logger: quiet }),
      ],
      providers: [Both],
    }).compile();
    await app.init();
    const { main, audit } = app.get(Both);
    await main.put('/k', 'main');
    await audit.put('/k', 'audit');

    expect((await main.get('/k')).value.toString()).toBe('main');
    expect((await audit.get('/k')).value.toString()).toBe('audit');
    await app.close();
    await other.stop();
  });

  it('finds the definitions of forFeature in any module', async () => {
    await put('/feature/db', { host: 'f', port: 1 });
    @Module({ imports: [EtcdTriggerModule.forFeature([{ prefix: '/feature/', type: DatabaseConfig }])] })
    class Feature {}
    const app = await Test.createTestingModule({
      imports: [Feature, EtcdTriggerModule.forRootAsync({ useFactory: options, isGlobal: false })],
    }).compile();

    expect(app.get(StoreService).keys()).toEqual(['/feature/db']);
    await app.close();
  });

  it.each(['yes', 1, null])('refuses %s as isGlobal, of forRoot and forRootAsync', (given) => {
    const isGlobal = given as unknown as boolean;
    const error = new InvalidOptionsError('"isGlobal" must be true or false');

    expect(() => EtcdTriggerModule.forRoot({ ...options(), isGlobal })).toThrow(error);
    expect(() => EtcdTriggerModule.forRootAsync({ useFactory: options, isGlobal })).toThrow(error);
  });

  it('starts while etcd is unreachable if there are no definitions and handlers', async () => {
    const app = await Test.createTestingModule({
      imports: [EtcdTriggerModule.forRoot({ ...options(), client: { hosts: '127.0.0.1:1' } })],
    }).compile();
    await app.init();

    expect(app.get(StoreService).keys()).toEqual([]);
    await app.close();
  });

  it('takes its options from useClass and useExisting', async () => {
    @Injectable()
    class Settings implements EtcdTriggerOptionsFactory {
      createEtcdTriggerOptions() {
        return options();
      }
    }
    @Module({ providers: [Settings], exports: [Settings] })
    class SettingsModule {}
    const app = await Test.createTestingModule({
      imports: [
        EtcdTriggerModule.forRootAsync({ useClass: Settings }),
        EtcdTriggerModule.forRootAsync({ cluster: 'second', imports: [SettingsModule], useExisting: Settings }),
      ],
    }).compile();
    await app.init();
    await app.get(WatcherService).put('/k', 'v');

    expect((await app.get<WatcherService>(getWatcherToken('second')).get('/k')).value.toString()).toBe('v');
    await app.close();
  });

  it('provides the store for the async options of other modules', async () => {
    await put('/target', { host: 'from etcd', port: 5 });
    const seen: DatabaseConfig[] = [];
    @Module({})
    class Other {}
    const app = await Test.createTestingModule({
      imports: [
        EtcdTriggerModule.forRootAsync({ configs: [{ key: '/target', type: DatabaseConfig }], useFactory: options }),
        {
          module: Other,
          providers: [
            {
              provide: 'OTHER_OPTIONS',
              inject: [StoreService],
              useFactory: (store: StoreService) => seen.push(store.getOrThrow('/target', DatabaseConfig)),
            },
          ],
        },
      ],
    }).compile();

    expect(seen).toEqual([{ host: 'from etcd', port: 5 }]);
    await app.close();
  });

  it('isolates two applications in one process', async () => {
    const seen: string[] = [];
    const handler = (name: string) => {
      class Handler {
        @WatchKey('/apart/')
        onEvent({ key }: WatchEvent) {
          seen.push(`${name} ${key}`);
        }
      }
      return Handler;
    };
    const [one, two] = await Promise.all(
      ['one', 'two'].map(async (name) => {
        const app = await Test.createTestingModule({
          imports: [EtcdTriggerModule.forRoot({ ...options(), keyPrefix: `/${name}` })],
          providers: [handler(name)],
        }).compile();
        return app.init();
      }),
    );
    await one?.get(WatcherService).put('/apart/1', 'x');
    await two?.get(WatcherService).put('/apart/2', 'x');
    await eventually(() => seen.length === 2);
    await one?.close();
    await two?.get(WatcherService).put('/apart/3', 'x');
    await eventually(() => seen.length === 3);

    expect(seen.sort()).toEqual(['one /apart/1', 'two /apart/2', 'two /apart/3']);
    await two?.close();
  });

  it('fails the bootstrap if a cluster is imported twice, or forFeature names a cluster that is not imported', async () => {
    const duplicate = Test.createTestingModule({
      imports: [EtcdTriggerModule.forRoot(options()), EtcdTriggerModule.forRoot(options())],
    }).compile();
    await expect(duplicate).rejects.toThrow(/imported twice for the cluster "default"/);
    const unknownCluster = Test.createTestingModule({
      imports: [
        EtcdTriggerModule.forRoot(options()),
        EtcdTriggerModule.forFeature([{ key: '/a', type: DatabaseConfig }], 'audit'),
      ],
    }).compile();
    await expect(unknownCluster).rejects.toThrow(
      /forFeature names the cluster "audit", but there is no EtcdTriggerModule.forRoot for it/,
    );
  });

  it('instantiates a request-scoped handler with the providers of its own module', async () => {
    const seen: string[] = [];
    const feature = (name: string) => {
      @Injectable({ scope: Scope.REQUEST })
      class Handler {
        constructor(
          @Inject('NAME') readonly name: string,
          @Inject(REQUEST) readonly event: WatchEvent,
        ) {}
        @WatchKey('/scoped/')
        onEvent(event: WatchEvent) {
          seen.push(`${this.name} ${event.key} ${this.event === event}`);
        }
      }
      @Module({ providers: [Handler, { provide: 'NAME', useValue: name }] })
      class Feature {}
      return Feature;
    };
    const app = await Test.createTestingModule({
      imports: [EtcdTriggerModule.forRoot(options()), feature('first'), feature('second')],
    }).compile();
    await app.init();
    await put('/scoped/1', 'x');
    await eventually(() => seen.length === 2);

    expect(seen.sort()).toEqual(['first /scoped/1 true', 'second /scoped/1 true']);
    await app.close();
  });

  it('calls a handler once, even if its class is exported, imported or provided under several tokens', async () => {
    const seen: string[] = [];
    @Injectable()
    class Handler {
      @WatchKey('/once/')
      onEvent({ key }: WatchEvent) {
        seen.push(key);
      }
    }
    @Module({
      providers: [
        Handler,
        { provide: 'ALIAS', useExisting: Handler },
        { provide: 'SAME', inject: [Handler], useFactory: (handler: Handler) => handler },
      ],
      exports: [Handler],
    })
    class Shared {}
    @Module({ imports: [Shared] })
    class A {}
    @Module({ imports: [Shared] })
    class B {}
    const app = await Test.createTestingModule({ imports: [EtcdTriggerModule.forRoot(options()), A, B] }).compile();
    await app.init();
    await put('/once/1', 'x');
    await put('/once/2', 'x');
    await eventually(() => seen.includes('/once/2'));

    expect(seen).toEqual(['/once/1', '/once/2']);
    await app.close();
  });

  it('calls the @OnWatchResync methods of the target and of all targets after a resync', async () => {
    const proxy = await TcpProxy.start(etcd.first.clientPort);
    const notices: string[] = [];
    @Injectable()
    class Handler {
      @WatchKey('/resync/')
      onEvent() {}
      @OnWatchResync('/resync/')
      ofThis({ reason }: ResyncNotice) {
        notices.push(`this ${reason}`);
      }
      @OnWatchResync()
      ofAll({ target }: ResyncNotice) {
        notices.push(`all ${JSON.stringify(target)}`);
      }
      @OnWatchResync('/other/')
      ofOther() {
        notices.push('other');
      }
    }
    const app = await Test.createTestingModule({
      imports: [EtcdTriggerModule.forRoot({ ...options(), client: { hosts: proxy.endpoint } })],
      providers: [Handler],
    }).compile();
    await app.init();
    proxy.refuse();
    proxy.cut();
    const first = await put('/resync/1', 'x');
    const last = await put('/resync/1', 'y');
    expect(last).toBeGreaterThan(first);
    await etcd.compact(last);
    await proxy.accept();
    await eventually(() => notices.length === 2);

    expect(notices.sort()).toEqual(['all {"prefix":"/resync/"}', 'this compacted']);
    await app.close();
    proxy.stop();
  });
});
