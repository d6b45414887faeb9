import { type DynamicModule, type InjectionToken, Module } from '@nestjs/common';
import { EtcdTriggerModule } from '../module/etcd-trigger.module.js';
import type { StaticOptions } from '../module/etcd-trigger.module-definition.js';
import type { EtcdTriggerOptions } from '../module/etcd-trigger.options.js';
import { DEFAULT_CLUSTER } from '../module/etcd-trigger.tokens.js';
import { checkArgument, checkKeyValues, checkOption, isObject } from './argument-checks.js';
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
  static forRoot(testingOptions: EtcdTriggerTestingOptions = {}): DynamicModule {
    checkArgument(METHOD, isObject(testingOptions), 'pass the options as an object');
    const { client } = testingOptions as { readonly client?: unknown };
    checkArgument(METHOD, client === undefined, 'leave out "client", because the fake replaces it');
    const { fake = new FakeCluster(), initial, ...options } = testingOptions;
    checkOption(METHOD, 'fake', fake instanceof FakeCluster, 'a FakeCluster');
    if (initial !== undefined) {
      checkKeyValues(`"initial" of ${METHOD}`, initial);
      fake.putAll(initial);
    }
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

const METHOD = 'EtcdTriggerTestingModule.forRoot()';

/** Injection token of a cluster's fake. The token of the default cluster is the class `FakeCluster`. */
export function getFakeClusterToken(cluster = DEFAULT_CLUSTER): InjectionToken {
  checkArgument('getFakeClusterToken()', typeof cluster === 'string', 'pass the name of the cluster as a string');
  return cluster === DEFAULT_CLUSTER ? FakeCluster : `nestjs-etcd-trigger:fake:${cluster}`;
}
