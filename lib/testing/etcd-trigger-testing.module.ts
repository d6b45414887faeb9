import { type DynamicModule, type InjectionToken, Module } from '@nestjs/common';
import { EtcdTriggerModule } from '../module/etcd-trigger.module.js';
import type { StaticOptions } from '../module/etcd-trigger.module-definition.js';
import type { EtcdTriggerOptions } from '../module/etcd-trigger.options.js';
import { DEFAULT_CLUSTER } from '../module/etcd-trigger.tokens.js';
import { FakeCluster } from './fake/fake-cluster.js';
import type { FakeValue } from './fake/fake-value.js';

/** Options of `EtcdTriggerModule.forRoot`, with a fake cluster in place of `client`. */
export interface EtcdTriggerTestingOptions extends Omit<EtcdTriggerOptions, 'client' | 'configs'>, StaticOptions {
  /** @default a new one, available as `app.get(FakeCluster)` */
  readonly fake?: FakeCluster | undefined;
  /** Keys and values that exist when the application starts. They are written in one transaction. */
  readonly initial?: Readonly<Record<string, FakeValue>> | undefined;
}

/** Replaces `EtcdTriggerModule` in tests of single providers. It provides the same services on an in-memory etcd. */
@Module({})
export class EtcdTriggerTestingModule {
  /** Works like `EtcdTriggerModule.forRoot`, without `client`. `app.get(FakeCluster)` returns the fake. */
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

/** Injection token of a cluster's fake. The token of the default cluster is the class `FakeCluster`. */
export const getFakeClusterToken = (cluster = DEFAULT_CLUSTER): InjectionToken =>
  cluster === DEFAULT_CLUSTER ? FakeCluster : `nestjs-etcd-trigger:fake:${cluster}`;
