import type { FactoryProvider, InjectionToken, OnModuleInit } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import type { LiveResources } from '../live/live-resources.js';
import { ClusterRuntime } from './cluster.runtime.js';
import { refOfRequest } from './config-ref.providers.js';
import type { ConfigRequest } from './inject-config.decorator.js';
import { definitionsOf, instancesOf } from './module-graph.js';
import type { StoreService } from '../store/store.service.js';
import type { ConfigRef } from '../store/config-ref.js';
import { StoreRegistry } from './store.registry.js';

/** Token of the part of a cluster that the factories of `liveProvider` use. */
export const getLiveHostToken = (cluster: string): InjectionToken => `nestjs-etcd-trigger:live-host:${cluster}`;

/** Provided by every `forRoot` and `forFeature`, because a module may see only one of them. */
export const liveHostProvider = (cluster: string): FactoryProvider => ({
  provide: getLiveHostToken(cluster),
  inject: [StoreRegistry, DiscoveryService],
  useFactory: async (stores: StoreRegistry, discovery: DiscoveryService) => {
    const store = await stores.of(cluster);
    const runtime = instancesOf(discovery, ClusterRuntime).find(({ name }) => name === cluster);
    return new LiveHost(runtime as ClusterRuntime, store, discovery);
  },
});

/** Gives the factories of `liveProvider` the configurations of a cluster. */
export class LiveHost implements OnModuleInit {
  constructor(
    private readonly runtime: ClusterRuntime,
    private readonly store: StoreService,
    private readonly discovery: DiscoveryService,
  ) {}

  get resources(): LiveResources {
    return this.runtime.live;
  }

  /** Nest has not called the factory of a provider that depends on a request-scoped one. */
  async onModuleInit(): Promise<void> {
    try {
      this.checkScopes();
    } catch (error) {
      await this.resources.close();
      throw error;
    }
  }

  /** @throws InvalidOptionsError if Nest calls the factory of a `liveProvider` for each request */
  checkScopes(): void {
    for (const wrapper of this.discovery.getProviders()) {
      const name = LIVE_FACTORIES.get(wrapper.metatype as object);
      if (name === undefined || wrapper.isDependencyTreeStatic()) continue;
      throw new InvalidOptionsError(
        `${name} depends on a request-scoped provider, so each request would create a resource: inject only singletons`,
      );
    }
  }

  /**
   * Returns the requested configuration of one key, or of a map with relative keys.
   * @throws InvalidOptionsError naming `owner` if there is no such definition
   */
  ref(owner: string, request: ConfigRequest): ConfigRef<unknown> {
    const { cluster } = request;
    const definitions = [...definitionsOf(this.discovery, cluster), ...this.runtime.options.configs];
    return refOfRequest(owner, request, this.store, definitions);
  }
}

/** The names of the providers of `liveProvider`, by their factories. */
export const LIVE_FACTORIES = new WeakMap<object, string>();
