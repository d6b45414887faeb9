import { type DynamicModule, Inject, Module, Optional } from '@nestjs/common';
import { DiscoveryModule, DiscoveryService } from '@nestjs/core';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import { checkKnown, type OptionNames } from '../option-checks.js';
import { checkConfigs, type ConfigDefinition } from '../store/definitions/config-definition.js';
import { configRefProviders, tokensOf } from './config-ref.providers.js';
import {
  type ASYNC_OPTIONS_TYPE,
  ConfigurableModuleClass,
  type OPTIONS_TYPE,
} from './etcd-trigger.module-definition.js';
import { checkIsGiven } from './etcd-trigger.options.js';
import { definitionsProvider, ETCD_TRIGGER_OPTIONS } from './etcd-trigger.providers.js';
import { DEFAULT_CLUSTER } from './etcd-trigger.tokens.js';
import { clustersOf } from './module-graph.js';
import { StoreRegistryModule } from './store.registry.js';
import { quoted } from '../foreign/foreign-text.js';

/**
 * Connects an application to etcd: provides `Etcd3`, `WatcherService` and `StoreService`, and calls the methods
 * decorated with `@WatchKey`. Import `forRoot` or `forRootAsync` once for each cluster, and `forFeature` in modules
 * that define configurations.
 */
@Module({ imports: [DiscoveryModule, StoreRegistryModule] })
export class EtcdTriggerModule extends ConfigurableModuleClass {
  /** @internal */
  constructor(@Optional() @Inject(ETCD_TRIGGER_OPTIONS) options: unknown) {
    super();
    if (options !== undefined) return;
    throw new InvalidOptionsError(
      'EtcdTriggerModule is imported without options: import EtcdTriggerModule.forRoot({ client: { hosts: "host:2379" } }) once, and nothing in the other modules',
    );
  }

  /** Registers a cluster with synchronous options. */
  static override forRoot(options: typeof OPTIONS_TYPE): DynamicModule {
    checkIsGiven(options);
    checkConfigs('"configs" of EtcdTriggerModule.forRoot', options.configs ?? []);
    return super.forRoot(options);
  }

  /**
   * Registers a cluster with options from `useFactory` (and `inject`), `useClass` or `useExisting`. `cluster`,
   * `isGlobal` and `configs` are set next to these, because Nest needs them while it builds the module graph.
   */
  static override forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    checkIsGiven(options);
    checkKnown(options, ASYNC_OPTIONS, { owner: ' of EtcdTriggerModule.forRootAsync' });
    checkConfigs('"configs" of EtcdTriggerModule.forRootAsync', options.configs ?? []);
    if (!options.useFactory && !options.useClass && !options.useExisting) {
      throw new InvalidOptionsError('EtcdTriggerModule.forRootAsync needs useFactory, useClass or useExisting');
    }
    return super.forRootAsync(options);
  }

  /**
   * Defines configurations of one module. They are loaded together with all others of their cluster, before any
   * provider that injects them is created.
   */
  static forFeature(configs: readonly ConfigDefinition[], cluster: string = DEFAULT_CLUSTER): DynamicModule {
    const refs = configRefProviders(cluster, checkConfigs('the definitions of EtcdTriggerModule.forFeature', configs));
    return {
      module: EtcdTriggerFeatureModule,
      providers: [definitionsProvider(cluster, configs), { provide: FEATURE_CLUSTER, useValue: cluster }, ...refs],
      exports: tokensOf(refs),
    };
  }
}

const ASYNC_OPTIONS: OptionNames<typeof ASYNC_OPTIONS_TYPE> = {
  cluster: true,
  isGlobal: true,
  configs: true,
  imports: true,
  inject: true,
  useFactory: true,
  useClass: true,
  useExisting: true,
  provideInjectionTokensFrom: true,
};

const FEATURE_CLUSTER = Symbol('EtcdTriggerFeatureCluster');

@Module({ imports: [DiscoveryModule, StoreRegistryModule] })
class EtcdTriggerFeatureModule {
  constructor(discovery: DiscoveryService, @Inject(FEATURE_CLUSTER) cluster: string) {
    if (clustersOf(discovery).has(cluster)) return;
    throw new InvalidOptionsError(
      `EtcdTriggerModule.forFeature names the cluster ${quoted(cluster)}, but there is no EtcdTriggerModule.forRoot for it`,
    );
  }
}
