import type { FactoryProvider, InjectionToken } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { ClusterLocks } from '../coordination/cluster-locks.js';
import { ClusterServices } from '../coordination/cluster-services.js';
import type { Coordination } from '../coordination/coordination.js';
import { coordinationMissing } from '../coordination/coordination-options.js';
import { ClusterRuntime } from './cluster.runtime.js';
import { dependentsOf } from './election.providers.js';
import { GroupRegistry } from '../coordination/groups/group-registry.js';
import { getGroupRegistryToken, getLocksToken, getServicesToken } from './etcd-trigger.tokens.js';

/** Provides the services of the coordination. Without the option `coordination`, nothing can inject them. */
export const coordinationProviders = (cluster: string): FactoryProvider[] => [
  providerOf(cluster, {
    name: 'ClusterLocks',
    token: getLocksToken(cluster),
    create: (coordination) => new ClusterLocks(coordination?.locks, cluster),
  }),
  providerOf(cluster, {
    name: 'ClusterServices',
    token: getServicesToken(cluster),
    create: (coordination) => new ClusterServices(coordination?.services, cluster),
  }),
  providerOf(cluster, {
    name: 'GroupRegistry',
    token: getGroupRegistryToken(cluster),
    create: (coordination) => new GroupRegistry(coordination?.groups, cluster),
  }),
];

interface ProvidedService {
  readonly name: string;
  readonly token: InjectionToken;
  readonly create: (coordination: Coordination | undefined) => object;
}

const providerOf = (cluster: string, { name, token, create }: ProvidedService): FactoryProvider => ({
  provide: token,
  inject: [ClusterRuntime, DiscoveryService],
  useFactory: ({ coordination }: ClusterRuntime, discovery: DiscoveryService) => {
    const [dependent] = coordination ? [] : dependentsOf(discovery, token);
    if (dependent !== undefined) throw coordinationMissing(`${dependent}: ${name}`, cluster);
    return create(coordination);
  },
});
