import { ConfigurableModuleBuilder } from '@nestjs/common';
import { checkBoolean } from '../option-checks.js';
import type { ConfigDefinition } from '../store/definitions/config-definition.js';
import { clusterConfigRefProviders, tokensOf } from './config-ref.providers.js';
import { electionProviders } from './election.providers.js';
import { EtcdTriggerInspector } from './etcd-trigger.inspector.js';
import type { EtcdTriggerOptions } from './etcd-trigger.options.js';
import { clusterProviders, definitionsProvider, ETCD_TRIGGER_OPTIONS } from './etcd-trigger.providers.js';
import { getLiveHostToken, liveHostProvider } from './live.host.js';
import {
  DEFAULT_CLUSTER,
  getEtcdClientToken,
  getLocksToken,
  getGroupRegistryToken,
  getServicesToken,
  getStoreToken,
  getWatcherToken,
  getWatchKeyRegistryToken,
} from './etcd-trigger.tokens.js';

/** Options that Nest needs while it builds the module graph, so an async factory cannot return them. */
export interface StaticOptions {
  /**
   * Name of the cluster, for applications that use several clusters.
   * @default 'default'
   */
  cluster?: string | undefined;
  /**
   * True if every module of the application can inject the providers of this one.
   * @default true
   */
  isGlobal?: boolean | undefined;
  /** Configurations, loaded before any provider that injects the `StoreService` is created. */
  configs?: readonly ConfigDefinition[] | undefined;
}

/** The names of the static options; their defaults are filled where they are used, because they may be `undefined`. */
const STATIC_OPTIONS: StaticOptions = { cluster: undefined, isGlobal: undefined, configs: undefined };

export const { ConfigurableModuleClass, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<EtcdTriggerOptions>({
    moduleName: 'EtcdTrigger',
    optionsInjectionToken: ETCD_TRIGGER_OPTIONS,
  })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createEtcdTriggerOptions')
    .setExtras<StaticOptions>(STATIC_OPTIONS, (definition, extras) => {
      const { cluster = DEFAULT_CLUSTER, isGlobal = true, configs = [] } = extras;
      const refs = clusterConfigRefProviders(cluster, configs);
      const elections = electionProviders(cluster);
      return {
        ...definition,
        global: checkBoolean('isGlobal', isGlobal),
        providers: [
          ...(definition.providers ?? []),
          ...clusterProviders(cluster),
          definitionsProvider(cluster, configs),
          liveHostProvider(cluster),
          ...refs,
          ...elections,
        ],
        exports: [
          EtcdTriggerInspector,
          getEtcdClientToken(cluster),
          getWatcherToken(cluster),
          getStoreToken(cluster),
          getWatchKeyRegistryToken(cluster),
          getLocksToken(cluster),
          getServicesToken(cluster),
          getGroupRegistryToken(cluster),
          getLiveHostToken(cluster),
          ...tokensOf(refs),
          ...tokensOf(elections),
        ],
      };
    })
    .build();
