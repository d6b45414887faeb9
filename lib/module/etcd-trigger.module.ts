import { type DynamicModule, Inject, Module } from '@nestjs/common';
import { DiscoveryModule, DiscoveryService } from '@nestjs/core';
import { configRefProviders, tokensOf } from './config-ref.providers.js';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import { clustersOf } from './module-graph.js';
import { StoreRegistryModule } from './store.registry.js';
import {
  type ASYNC_OPTIONS_TYPE,
  ConfigurableModuleClass,
  type OPTIONS_TYPE,
} from './etcd-trigger.module-definition.js';
import { definitionsProvider } from './etcd-trigger.providers.js';
import { DEFAULT_CLUSTER } from './etcd-trigger.tokens.js';
import type { ConfigDefinition } from '../store/definitions/config-definition.js';

/**
 * Connects an application to etcd: provides `Etcd3`, `WatcherService` and `StoreService`, and calls the methods decorated with `@WatchKey`. Import
 * `forRoot` or `forRootAsync` once for each cluster, and `forFeature` wherever a module has configurations of its own.
 */
@Module({ imports: [DiscoveryModule, StoreRegistryModule] })
export class EtcdTriggerModule extends ConfigurableModuleClass {
  /** One cluster, with options that are known when the module graph is built. */
  static override forRoot(options: typeof OPTIONS_TYPE): DynamicModule {
    return super.forRoot(options);
  }

  /**
   * One cluster, with options from `useFactory` (and `inject`), `useClass` or `useExisting`, and `imports`. `cluster`, `isGlobal` and `configs` stand
   * beside them: they are known when the module graph is built.
   */
  static override forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    return super.forRootAsync(options);
  }

  /** Configurations of one part of the application; they load together with all others of their cluster, before anything is constructed. */
  static forFeature(configs: readonly ConfigDefinition[], cluster: string = DEFAULT_CLUSTER): DynamicModule {
    const refs = configRefProviders(cluster, configs);
    return {
      module: EtcdTriggerFeatureModule,
      providers: [definitionsProvider(cluster, configs), { provide: FEATURE_CLUSTER, useValue: cluster }, ...refs],
      exports: tokensOf(refs),
    };
  }
}

const FEATURE_CLUSTER = Symbol('EtcdTriggerFeatureCluster');

@Module({ imports: [DiscoveryModule, StoreRegistryModule] })
class EtcdTriggerFeatureModule {
  constructor(discovery: DiscoveryService, @Inject(FEATURE_CLUSTER) cluster: string) {
    if (clustersOf(discovery).has(cluster)) return;
    throw new InvalidOptionsError(
      `EtcdTriggerModule.forFeature is for the cluster "${cluster}", which no EtcdTriggerModule.forRoot imports`,
    );
  }
}
