import { type DynamicModule, type InjectionToken, Module } from '@nestjs/common';
import { EtcdTriggerModule } from '../module/etcd-trigger.module.js';
import type { StaticOptions } from '../module/etcd-trigger.module-definition.js';
import type { EtcdTriggerOptions } from '../module/etcd-trigger.options.js';
import { DEFAULT_CLUSTER } from '../module/etcd-trigger.tokens.js';
import { FakeCluster } from './fake/fake-cluster.js';
import type { FakeValue } from './fake/fake-value.js';

/** Every option of `EtcdTriggerModule.forRoot` but `client`, and what it runs on instead. */
export interface EtcdTriggerTestingOptions extends Omit<EtcdTriggerOptions, 'client' | 'configs'>, StaticOptions {
  /** @default a new one, which `app.get(FakeCluster)` gives */
  readonly fake?: FakeCluster;
  /** What the fake holds when the application starts; written in one transaction. */
  readonly initial?: Readonly<Record<string, FakeValue>>;
}

/** In the place of `EtcdTriggerModule.forRoot`, for tests of single providers: everything the module provides, on an etcd in memory. */
@Module({})
export class EtcdTriggerTestingModule {
  /** As `EtcdTriggerModule.forRoot`, without `client`. The fake is what `app.get(FakeCluster)` gives. */
  static forRoot({ fake = new FakeCluster(), initial, ...options }: EtcdTriggerTestingOptions = {}): DynamicModule {
    if (initial) fake.putAll(initial);
    const token = getFakeClusterToken(options.cluster);
    return {
      module: EtcdTriggerTestingModule,
      global: options.isGlobal ?? true,
      imports: [EtcdTriggerModule.forRoot({ ...options, client: fake })],
      providers: [{ provide: token, useValue: fake }],
      exports: [token],
    };
  }
}

/** Token of the fake of a cluster; of the default cluster the class itself. */
export const getFakeClusterToken = (cluster = DEFAULT_CLUSTER): InjectionToken =>
  cluster === DEFAULT_CLUSTER ? FakeCluster : `nestjs-etcd-trigger:fake:${cluster}`;
