import { Controller, Injectable, Module, Scope } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Etcd3 } from 'etcd3';
import { IsInt, IsString } from 'class-validator';
import {
  EtcdTriggerModule,
  InjectWatcher,
  StoreService,
  WatcherService,
  WatchKey,
  type WatchEvent,
} from 'nestjs-etcd-trigger';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { quiet } from '../support/quiet-logger.js';

class DatabaseConfig {
  @IsString() host!: string;
  @IsInt() port!: number;
}

describe('EtcdTriggerModule', () => {
  let etcd: EtcdTestCluster;
  let writer: Etcd3;

  beforeAll(async () => {
    etcd = await EtcdTestCluster.start();
    writer = new Etcd3({ hosts: etcd.endpoints });
  });
  beforeEach(async () => {
    await writer.delete().all();
  });
  afterAll(async () => {
    writer.close();
    await etcd.stop();
  });

  const options = () => ({ client: { hosts: etcd.endpoints }, logger: quiet });

  it('loads configurations before anything that injects the store is constructed, and follows them', async () => {
    await writer.put('/app/db').value(JSON.stringify({ host: 'one', port: 1 }));
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
    await writer.put('/app/db').value(JSON.stringify({ host: 'two', port: 2 }));
    await eventually(() => store.get('/app/db', DatabaseConfig)?.host === 'two');

    await app.close();
    expect(store.status).toBe('closed');
  });

  it('calls decorated methods of providers and controllers, inherited ones too, with a fresh instance for each event where asked', async () => {
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
    await writer.put('/events/1').value('x');
    await app.init();
    await eventually(() => seen.length === 3);
    await writer.put('/events/2').value('y');
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

  it('keeps named clusters apart, in one application', async () => {
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

  it('finds the definitions of features, wherever they are imported', async () => {
    await writer.put('/feature/db').value(JSON.stringify({ host: 'f', port: 1 }));
    @Module({ imports: [EtcdTriggerModule.forFeature([{ prefix: '/feature/', type: DatabaseConfig }])] })
    class Feature {}
    const app = await Test.createTestingModule({
      imports: [Feature, EtcdTriggerModule.forRootAsync({ useFactory: options, isGlobal: false })],
    }).compile();

    expect(app.get(StoreService).keys()).toEqual(['/feature/db']);
    await app.close();
  });
});
