import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { ConfigDefinition } from '../store/definitions/config-definition.js';
import { clusterConfigRefProviders, tokensOf } from './config-ref.providers.js';
import { electionProviders } from './election.providers.js';
import { EtcdTriggerInspector } from './etcd-trigger.inspector.js';
import type { EtcdTriggerOptions } from './etcd-trigger.options.js';
import { clusterProviders, definitionsProvider, ETCD_TRIGGER_OPTIONS } from './etcd-trigger.providers.js';
import {
  DEFAULT_CLUSTER,
  getEtcdClientToken,
  getLocksToken,
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
  cluster?: string;
  /**
   * True if every module of the application can inject the providers of this one.
   * @default true
   */
  isGlobal?: boolean;
  /** Configurations, loaded before any provider that injects the `StoreService` is created. */
  configs?: readonly ConfigDefinition[];
}

const STATIC_OPTIONS: Required<StaticOptions> = { cluster: DEFAULT_CLUSTER, isGlobal: true, configs: [] };

export const { ConfigurableModuleClass, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<EtcdTriggerOptions>({
    moduleName: 'EtcdTrigger',
    optionsInjectionToken: ETCD_TRIGGER_OPTIONS,
  })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createEtcdTriggerOptions')
    .setExtras<StaticOptions>(STATIC_OPTIONS, (definition, extras) => {
      const { cluster, isGlobal, configs } = { ...STATIC_OPTIONS, ...extras };
      const refs = clusterConfigRefProviders(cluster, configs);
      const elections = electionProviders(cluster);
      return {
        ...definition,
        global: isGlobal,
        providers: [
          ...(definition.providers ?? []),
          ...clusterProviders(cluster),
          definitionsProvider(cluster, configs),
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
          ...tokensOf(refs),
          ...tokensOf(elections),
        ],
      };
    })
    .build();
