import { type DynamicModule, Inject, Module, Optional } from '@nestjs/common';
import { DiscoveryModule, DiscoveryService } from '@nestjs/core';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import { checkKnown, type OptionNames } from '../option-checks.js';
import type { CheckedDefinitions, GivenValueType } from '../store/definitions/config-definition.js';
import { checkConfigs } from '../store/definitions/resolved-definition.js';
import { configRefProviders, tokensOf } from './config-ref.providers.js';
import {
  type ASYNC_OPTIONS_TYPE,
  ConfigurableModuleClass,
  type OPTIONS_TYPE,
} from './etcd-trigger.module-definition.js';
import { checkIsGiven, isModuleOption } from './etcd-trigger.options.js';
import { definitionsProvider, ETCD_TRIGGER_OPTIONS } from './etcd-trigger.providers.js';
import { DEFAULT_CLUSTER } from './etcd-trigger.tokens.js';
import { getLiveHostToken, liveHostProvider } from './live.host.js';
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
  static override forRoot<const Types extends readonly GivenValueType[]>(
    options: WithDefinitions<typeof OPTIONS_TYPE, Types>,
  ): DynamicModule {
    checkIsGiven(options);
    checkConfigs('"configs" of EtcdTriggerModule.forRoot', options.configs ?? []);
    return super.forRoot(options as typeof OPTIONS_TYPE);
  }

  /**
   * Registers a cluster with options from `useFactory` (and `inject`), `useClass` or `useExisting`. `cluster`,
   * `isGlobal` and `configs` are set next to these, because Nest needs them while it builds the module graph.
   */
  static override forRootAsync<const Types extends readonly GivenValueType[]>(
    options: WithDefinitions<typeof ASYNC_OPTIONS_TYPE, Types>,
  ): DynamicModule {
    checkIsGiven(options);
    const misplaced = Object.keys(options).find((name) => isModuleOption(name) && !Object.hasOwn(ASYNC_OPTIONS, name));
    if (misplaced !== undefined) {
      throw new InvalidOptionsError(
        `"${misplaced}" of EtcdTriggerModule.forRootAsync belongs into the options that "useFactory" returns`,
      );
    }
    checkKnown(options, ASYNC_OPTIONS, { owner: ' of EtcdTriggerModule.forRootAsync' });
    checkConfigs('"configs" of EtcdTriggerModule.forRootAsync', options.configs ?? []);
    if (!options.useFactory && !options.useClass && !options.useExisting) {
      throw new InvalidOptionsError('EtcdTriggerModule.forRootAsync needs useFactory, useClass or useExisting');
    }
    const { useFactory } = options as typeof ASYNC_OPTIONS_TYPE;
    return super.forRootAsync({
      ...(options as typeof ASYNC_OPTIONS_TYPE),
      ...(useFactory && { useFactory: async (...injected: unknown[]) => checkedResult(await useFactory(...injected)) }),
    });
  }

  /**
   * Defines configurations of one module. They are loaded together with all others of their cluster, before any
   * provider that injects them is created.
   */
  static forFeature<const Types extends readonly GivenValueType[]>(
    configs: CheckedDefinitions<Types>,
    cluster: string = DEFAULT_CLUSTER,
  ): DynamicModule {
    const definitions = checkConfigs('the definitions of EtcdTriggerModule.forFeature', configs);
    const refs = configRefProviders(cluster, definitions);
    return {
      module: EtcdTriggerFeatureModule,
      providers: [
        definitionsProvider(cluster, definitions),
        { provide: FEATURE_CLUSTER, useValue: cluster },
        liveHostProvider(cluster),
        ...refs,
      ],
      exports: [getLiveHostToken(cluster), ...tokensOf(refs)],
    };
  }
}

/** Options whose definitions are checked against their own classes and schemas. */
export type WithDefinitions<Options, Types extends readonly GivenValueType[]> = Omit<Options, 'configs'> & {
  configs?: CheckedDefinitions<Types> | undefined;
};

function checkedResult<Options>(options: Options): Options {
  if (typeof options === 'object' && options !== null) return options;
  throw new InvalidOptionsError(
    '"useFactory" of EtcdTriggerModule.forRootAsync must return the options: at least { client: { hosts: "host:2379" } }',
  );
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
