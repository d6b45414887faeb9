import type { FactoryProvider, Provider, ValueProvider } from '@nestjs/common';
import { DiscoveryService, ModuleRef } from '@nestjs/core';
import { backendSourceOf } from '../etcd/etcd-backend.js';
import { ClusterRuntime } from './cluster.runtime.js';
import { clustersOf, ClusterMarker, definitionsOf, DefinitionsMark } from './module-graph.js';
import { EtcdTriggerInspector } from './etcd-trigger.inspector.js';
import { ClusterLifecycle } from './cluster.lifecycle.js';
import { StoreRegistry } from './store.registry.js';
import { type EtcdTriggerOptions, resolveOptions } from './etcd-trigger.options.js';
import { optionsCycleCheck } from './options-cycle.check.js';
import { ShutdownHooksReminder } from './shutdown-hooks.reminder.js';
import {
  getBackendToken,
  getEtcdClientToken,
  getStoreToken,
  getWatcherToken,
  getWatchKeyRegistryToken,
} from './etcd-trigger.tokens.js';
import { HandlerExplorer } from '../handlers/handler.explorer.js';
import { HandlerRegistrar } from '../handlers/handler.registrar.js';
import type { ConfigDefinition } from '../store/definitions/config-definition.js';
import type { StoreService } from '../store/store.service.js';
import type { BackendSource } from '../backend/cluster-backend.js';

/** The options as the application gave them. */
export const ETCD_TRIGGER_OPTIONS = Symbol('EtcdTriggerOptions');

/** All providers of one `forRoot`. Each has its own module, so that no two clusters meet. */
export const clusterProviders = (cluster: string): Provider[] => [
  { provide: Symbol('ClusterMark'), useValue: new ClusterMarker(cluster) },
  optionsCycleCheck(cluster, ETCD_TRIGGER_OPTIONS),
  HandlerExplorer,
  {
    // Of its own, so that tests can put another in its place.
    provide: getBackendToken(cluster),
    inject: [ETCD_TRIGGER_OPTIONS],
    useFactory: (options: Partial<EtcdTriggerOptions> | undefined) => backendSourceOf(options?.client),
  } satisfies FactoryProvider,
  {
    provide: ClusterRuntime,
    inject: [ETCD_TRIGGER_OPTIONS, getBackendToken(cluster), DiscoveryService],
    useFactory: (options: EtcdTriggerOptions, source: BackendSource, discovery: DiscoveryService) => {
      clustersOf(discovery);
      return new ClusterRuntime(cluster, resolveOptions(options), source);
    },
  } satisfies FactoryProvider,
  {
    provide: getEtcdClientToken(cluster),
    inject: [ClusterRuntime],
    useFactory: ({ client }: ClusterRuntime) => client,
  },
  {
    provide: getWatcherToken(cluster),
    inject: [ClusterRuntime],
    useFactory: ({ watcher }: ClusterRuntime) => watcher,
  },
  {
    provide: getStoreToken(cluster),
    inject: [ClusterRuntime, DiscoveryService],
    useFactory: (built: ClusterRuntime, discovery: DiscoveryService) =>
      built.loadStore([...definitionsOf(discovery, cluster), ...built.options.configs]),
  },
  {
    // Of its own, so that a store that was put in the place of ours is announced too.
    provide: Symbol('StoreAnnouncement'),
    inject: [getStoreToken(cluster), StoreRegistry],
    useFactory: (store: StoreService, stores: StoreRegistry) => {
      stores.loaded(cluster, store);
    },
  },
  {
    provide: getWatchKeyRegistryToken(cluster),
    inject: [ClusterRuntime],
    useFactory: ({ registry }: ClusterRuntime) => registry,
  },
  {
    provide: EtcdTriggerInspector,
    inject: [DiscoveryService],
    useFactory: (discovery: DiscoveryService) => new EtcdTriggerInspector(discovery),
  },
  {
    provide: ClusterLifecycle,
    inject: [ClusterRuntime, HandlerExplorer, DiscoveryService, ModuleRef],
    useFactory: (
      built: ClusterRuntime,
      explorer: HandlerExplorer,
      discovery: DiscoveryService,
      moduleRef: ModuleRef,
    ) => {
      const { log, options, registry, watcher } = built;
      const { handlers } = options;
      const registrar = new HandlerRegistrar(explorer, watcher, registry, {
        cluster,
        clusters: clustersOf(discovery),
        boot: () => built.handlersBoot,
        register: handlers.register,
        application: handlers.useGlobalEnhancers ? moduleRef['container'].applicationConfig : undefined,
        log,
      });
      const [first] = clustersOf(discovery);
      return new ClusterLifecycle(built, registrar, first === cluster ? new ShutdownHooksReminder(log) : undefined);
    },
  },
];

/** Definitions in the module graph, found by the store of their cluster. */
export const definitionsProvider = (cluster: string, configs: readonly ConfigDefinition[]): ValueProvider => ({
  provide: Symbol('DefinitionsMark'),
  useValue: new DefinitionsMark(cluster, configs),
});
