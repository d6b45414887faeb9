import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { IsInt } from 'class-validator';
import { type ConfigRef, EtcdTriggerModule, InjectConfig, StoreService } from 'nestjs-etcd-trigger';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { quiet } from '../support/quiet-logger.js';

class Limit {
  @IsInt()
  perMinute!: number;
}

@Injectable()
class Orders {
  constructor(
    readonly store: StoreService,
    @InjectConfig(Limit) readonly limit: ConfigRef<Limit>,
  ) {}
}

describe('an application whose StoreService is overridden', () => {
  const compiled = () =>
    Test.createTestingModule({
      imports: [
        EtcdTriggerModule.forRoot({
          client: new FakeCluster(),
          configs: [{ key: '/limit', type: Limit, required: true }],
          logger: quiet,
        }),
      ],
      providers: [Orders],
    })
      .overrideProvider(StoreService)
      .useValue({ get: () => ({ perMinute: 7 }) })
      .compile();

  it('starts, and reads what the object gives', async () => {
    const module = await compiled();
    const app = await module.createNestApplication({ logger: false }).init();

    expect(app.get(Orders).store.get('/limit', Limit)).toEqual({ perMinute: 7 });
    await app.close();
  });

  it('is told to replace etcd instead where it reads a ConfigRef', async () => {
    const { limit } = (await compiled()).get(Orders);

    expect(() => limit.value).toThrow(
      'the ConfigRef of key "/limit" (Limit) cannot be read: StoreService is overridden by an object without configurations; replace etcd instead: new FakeCluster().replaceIn(builder)',
    );
  });
});
