import { Inject, type InjectionToken } from '@nestjs/common';
import { ClusterLocks } from '../coordination/cluster-locks.js';
import { ClusterServices } from '../coordination/cluster-services.js';
import { GroupRegistry } from '../coordination/groups/group-registry.js';
import { Etcd3 } from '../etcd/connection/etcd-client.js';
import { WatchKeyRegistry } from '../handlers/watch-key.registry.js';
import { StoreService } from '../store/store.service.js';
import { WatcherService } from '../watch/watcher.service.js';

/** The name of the cluster if none is given. */
export const DEFAULT_CLUSTER = 'default';

/** Token of a cluster's `Etcd3`. For the default cluster, this is the class itself. */
export const getEtcdClientToken = (cluster = DEFAULT_CLUSTER): InjectionToken => tokenOf(Etcd3, 'client', cluster);

/** Token of a cluster's `WatcherService`. For the default cluster, this is the class itself. */
export const getWatcherToken = (cluster = DEFAULT_CLUSTER): InjectionToken =>
  tokenOf(WatcherService, 'watcher', cluster);

/** Token of a cluster's `StoreService`. For the default cluster, this is the class itself. */
export const getStoreToken = (cluster = DEFAULT_CLUSTER): InjectionToken => tokenOf(StoreService, 'store', cluster);

/** Token of a cluster's backend. Tests override it. */
export const getBackendToken = (cluster = DEFAULT_CLUSTER): InjectionToken => `nestjs-etcd-trigger:backend:${cluster}`;

/** Token of a cluster's `WatchKeyRegistry`. For the default cluster, this is the class itself. */
export const getWatchKeyRegistryToken = (cluster = DEFAULT_CLUSTER): InjectionToken =>
  tokenOf(WatchKeyRegistry, 'watch-key-registry', cluster);

/** Token of a cluster's `ClusterLocks`. For the default cluster, this is the class itself. */
export const getLocksToken = (cluster = DEFAULT_CLUSTER): InjectionToken => tokenOf(ClusterLocks, 'locks', cluster);

/** Token of a cluster's `ClusterServices`. For the default cluster, this is the class itself. */
export const getServicesToken = (cluster = DEFAULT_CLUSTER): InjectionToken =>
  tokenOf(ClusterServices, 'services', cluster);

/** Token of a cluster's `GroupRegistry`. For the default cluster, this is the class itself. */
export const getGroupRegistryToken = (cluster = DEFAULT_CLUSTER): InjectionToken =>
  tokenOf(GroupRegistry, 'groups', cluster);

/** Injects a cluster's `Etcd3`. */
export const InjectEtcdClient = (cluster?: string): ParameterDecorator & PropertyDecorator =>
  Inject(getEtcdClientToken(cluster));

/** Injects a cluster's `WatcherService`. */
export const InjectWatcher = (cluster?: string): ParameterDecorator & PropertyDecorator =>
  Inject(getWatcherToken(cluster));

/** Injects a cluster's `StoreService`. */
export const InjectStore = (cluster?: string): ParameterDecorator & PropertyDecorator => Inject(getStoreToken(cluster));

/** Injects a cluster's `WatchKeyRegistry`. */
export const InjectWatchKeyRegistry = (cluster?: string): ParameterDecorator & PropertyDecorator =>
  Inject(getWatchKeyRegistryToken(cluster));

/** Injects a cluster's `ClusterLocks`. Requires the option `coordination`. */
export const InjectLocks = (cluster?: string): ParameterDecorator & PropertyDecorator => Inject(getLocksToken(cluster));

/** Injects a cluster's `ClusterServices`. Requires the option `coordination`. */
export const InjectServices = (cluster?: string): ParameterDecorator & PropertyDecorator =>
  Inject(getServicesToken(cluster));

/** Injects a cluster's `GroupRegistry`. Requires the option `coordination`. */
export const InjectGroupRegistry = (cluster?: string): ParameterDecorator & PropertyDecorator =>
  Inject(getGroupRegistryToken(cluster));

const tokenOf = (type: InjectionToken, role: string, cluster: string): InjectionToken =>
  cluster === DEFAULT_CLUSTER ? type : `nestjs-etcd-trigger:${role}:${cluster}`;
