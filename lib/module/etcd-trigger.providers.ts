import type { FactoryProvider, Provider, ValueProvider } from '@nestjs/common';
import { DiscoveryService, ModuleRef } from '@nestjs/core';
import type { BackendSource } from '../backend/cluster-backend.js';
import { backendSourceOf } from '../etcd/etcd-backend.js';
import { HandlerExplorer } from '../handlers/handler.explorer.js';
import { HandlerRegistrar } from '../handlers/handler.registrar.js';
import type { ConfigDefinition } from '../store/definitions/config-definition.js';
import type { StoreService } from '../store/store.service.js';
import { ClusterLifecycle } from './cluster.lifecycle.js';
import { ClusterRuntime } from './cluster.runtime.js';
import { coordinationProviders } from './coordination.providers.js';
import { CronRegistrar } from './cron.registrar.js';
import { ElectionRegistrar } from './election.registrar.js';
import { EtcdTriggerInspector } from './etcd-trigger.inspector.js';
import { type EtcdTriggerOptions, resolveOptions } from './etcd-trigger.options.js';
import {
  getBackendToken,
  getEtcdClientToken,
  getStoreToken,
  getWatcherToken,
  getWatchKeyRegistryToken,
} from './etcd-trigger.tokens.js';
import { ClusterMarker, clustersOf, definitionsOf, DefinitionsMarker, instancesOf } from './module-graph.js';
import { optionsCycleCheck } from './options-cycle.check.js';
import { GroupRegistrar } from './group.registrar.js';
import { type InterruptedWork, ShutdownHooksReminder } from './shutdown-hooks.reminder.js';
import { PinningInterceptor } from './pinning.interceptor.js';
import { StoreRegistry } from './store.registry.js';

/** The options of the application, unchecked. */
export const ETCD_TRIGGER_OPTIONS = Symbol('EtcdTriggerOptions');

/** All providers of one `forRoot`. Each `forRoot` is a separate module, which isolates the clusters. */
export const clusterProviders = (cluster: string): Provider[] => [
  { provide: Symbol('ClusterMarker'), useValue: new ClusterMarker(cluster) },
  optionsCycleCheck(cluster, ETCD_TRIGGER_OPTIONS),
  HandlerExplorer,
  {
    // A separate provider, so that tests can override it.
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
    useFactory: (runtime: ClusterRuntime) => runtime.client(),
  },
  {
    provide: getWatcherToken(cluster),
    inject: [ClusterRuntime],
    useFactory: ({ watcher }: ClusterRuntime) => watcher,
  },
  {
    provide: getStoreToken(cluster),
    inject: [ClusterRuntime, DiscoveryService],
    useFactory: (runtime: ClusterRuntime, discovery: DiscoveryService) =>
      runtime.loadStore([...definitionsOf(discovery, cluster), ...runtime.options.configs]),
  },
  {
    // A separate provider, so that an overridden store is registered too.
    provide: Symbol('StoreRegistration'),
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
  ...coordinationProviders(cluster),
  {
    provide: EtcdTriggerInspector,
    inject: [DiscoveryService],
    useFactory: (discovery: DiscoveryService) => new EtcdTriggerInspector(discovery),
  },
  {
    provide: ClusterLifecycle,
    inject: [ClusterRuntime, HandlerExplorer, DiscoveryService, ModuleRef],
    useFactory: (
      runtime: ClusterRuntime,
      explorer: HandlerExplorer,
      discovery: DiscoveryService,
      moduleRef: ModuleRef,
    ) => {
      const { log, options, registry, watcher, coordination } = runtime;
      const pinning = options.pinRequests ? new PinningInterceptor(() => runtime.pinnedReads) : undefined;
      // Nest reads the global interceptors when it registers the routes, before any lifecycle hook.
      if (pinning) moduleRef['container'].applicationConfig?.addGlobalInterceptor(pinning);
      const application = options.handlers.useGlobalEnhancers ? moduleRef['container'].applicationConfig : undefined;
      const clusters = clustersOf(discovery);
      const handlers = new HandlerRegistrar(explorer, watcher, registry, {
        cluster,
        clusters,
        boot: () => runtime.handlersBoot,
        limits: options.limits,
        groups: new GroupRegistrar({
          cluster,
          coordination,
          watcher,
          delivery: options.watchDefaults,
          planEffects: runtime.planEffects.bind(runtime),
          isSecret: runtime.isSecret.bind(runtime),
        }),
        application,
        log,
        pin: pinning && ((run) => runtime.pinnedReads?.run(run) ?? Promise.resolve(run())),
      });
      const elections = new ElectionRegistrar({ cluster, clusters, coordination, log });
      const crons = new CronRegistrar({ cluster, clusters, coordination, application, log });
      const [first] = clusters;
      const work = (): InterruptedWork => ({
        handlers: options.handlers.register && explorer.explore().some(({ watchKeys }) => watchKeys.length > 0),
        coordination: instancesOf(discovery, ClusterRuntime).some((each) => each.coordination !== undefined),
      });
      return new ClusterLifecycle(
        runtime,
        explorer,
        { handlers, elections, crons },
        first === cluster ? new ShutdownHooksReminder(log, work) : undefined,
      );
    },
  },
];

/** Adds definitions to the module graph, where the store of their cluster finds them. */
export const definitionsProvider = (cluster: string, configs: readonly ConfigDefinition[]): ValueProvider => ({
  provide: Symbol('DefinitionsMarker'),
  useValue: new DefinitionsMarker(cluster, configs),
});
