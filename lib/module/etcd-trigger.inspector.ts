import { type DiscoveryService } from '@nestjs/core';
import type { WatchKeyHandler } from '../handlers/watch-key.handler.js';
import type { WatchKeyRegistry } from '../handlers/watch-key.registry.js';
import { ClusterRuntime } from './cluster.runtime.js';
import type { ConfigViolation } from '../etcd-trigger.errors.js';
import type { ConfigEntry } from '../store/cache/cache-entry.js';
import type { StoreStatus } from '../store/definition-feeds.js';
import type { DefinitionFeed } from '../store/cache/definition-feed.js';
import { className } from '../dto/dto-type.js';
import type { SharedRange } from '../watch/sharing/shared-range.js';

/** Everything that is known of the clusters of an application: to be logged or shown, as it holds no value. */
export interface EtcdTriggerDescription {
  readonly clusters: readonly ClusterDescription[];
}

/** One cluster. */
export interface ClusterDescription {
  readonly name: string;
  readonly serviceName: string;
  readonly podName: string;
  readonly targets: readonly TargetDescription[];
  readonly handlers: readonly HandlerDescription[];
  readonly store: StoreDescription;
}

/** One watched target, and its stream. */
export interface TargetDescription {
  /** As `prefix "/app/"`. */
  readonly target: string;
  readonly state: SharedRange['state'];
  /** Everything up to this revision is known. */
  readonly revision: number;
  readonly keys: number;
  readonly listeners: number;
  /** Milliseconds since etcd last said something about it; it says nothing while nothing changes. */
  readonly confirmedAgoMs: number | undefined;
}

/** One `@WatchKey` of one method. */
export interface HandlerDescription {
  /** `Class.method`. */
  readonly name: string;
  /** As `prefix "/app/"`, or the pattern. */
  readonly target: string;
  readonly state: WatchKeyHandler['state'];
  readonly revision: number;
  readonly pending: number;
  readonly calls: number;
  readonly failures: number;
  readonly invalid: number;
  readonly refused: number;
}

/** The store of one cluster. */
export interface StoreDescription {
  readonly status: StoreStatus;
  readonly definitions: readonly DefinitionDescription[];
}

/** One definition, and its keys. */
export interface DefinitionDescription {
  /** As `key "/app/db"`. */
  readonly target: string;
  readonly type: string;
  readonly required: boolean;
  readonly keys: readonly KeyDescription[];
}

/** What is known of one key of the store. */
export interface KeyDescription {
  readonly key: string;
  readonly state: ConfigEntry<unknown>['state'];
  /** `'masked'` where readers see a value. */
  readonly value: 'masked' | undefined;
  readonly revision: number;
  readonly source: ConfigEntry<unknown>['source'];
  /** Milliseconds since this process has it as it is. */
  readonly ageMs: number;
  readonly rejectedRevision?: number;
  readonly violations?: readonly ConfigViolation[];
}

/** Describes what an application has from etcd: for diagnoses, health checks and pages. Serialisable, and without any value. */
export class EtcdTriggerInspector {
  /** @internal */
  constructor(private readonly discovery: DiscoveryService) {}

  /** All clusters as they are now. */
  describe(): EtcdTriggerDescription {
    const instances: unknown[] = this.discovery.getProviders().map(({ instance }): unknown => instance);
    const clusters = [...new Set(instances.filter((instance) => instance instanceof ClusterRuntime))];
    return { clusters: clusters.map(describeCluster) };
  }
}

function describeCluster(cluster: ClusterRuntime): ClusterDescription {
  const { name, options, ranges, registry, feeds } = cluster;
  return {
    name,
    serviceName: options.serviceName,
    podName: options.podName,
    targets: ranges.all.map(describeTarget),
    handlers: describeHandlers(registry),
    store: { status: cluster.storeStatus, definitions: feeds.map(describeDefinition) },
  };
}

const describeTarget = ({ range, state, cache, listenerCount }: SharedRange): TargetDescription => ({
  target: range.toString(),
  state,
  revision: cache ? cache.next - 1 : 0,
  keys: cache?.size ?? 0,
  listeners: listenerCount,
  confirmedAgoMs: cache && Math.round(performance.now() - cache.confirmedAt),
});

const describeHandlers = (registry: WatchKeyRegistry): HandlerDescription[] =>
  registry.list().map(({ name, targetName, state, revision, pending, calls, failures, invalid, refused }) => ({
    name,
    target: targetName,
    state,
    revision,
    pending,
    calls,
    failures,
    invalid,
    refused,
  }));

const describeDefinition = ({ subject, definition, cache }: DefinitionFeed): DefinitionDescription => ({
  target: subject,
  type: className(definition.type),
  required: definition.required,
  keys: [...cache.knownKeys()].sort().map((key) => {
    const { value, ...known } = cache.entry(key);
    return { key, ...known, value: value === undefined ? undefined : 'masked', ageMs: cache.ageMs(key) };
  }),
});
