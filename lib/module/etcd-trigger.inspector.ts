import type { DiscoveryService } from '@nestjs/core';
import type { CronJob } from '../coordination/cron-job.js';
import type { CronJobStatus } from '../coordination/cron-job-status.js';
import type { ElectionLeader } from '../coordination/election.js';
import type { ConfigViolation } from '../etcd-trigger.errors.js';
import type { LiveDescription } from '../live/live.js';
import type { WatchKeyHandler } from '../handlers/watch-key.handler.js';
import type { WatchKeyRegistry } from '../handlers/watch-key.registry.js';
import type { ConfigEntry, ConfigLayer } from '../store/cache/cache-entry.js';
import type { DefinitionFeed } from '../store/cache/definition-feed.js';
import type { StoreStatus } from '../store/definition-feeds.js';
import type { StreamState } from '../watch/sharing/range-listener.js';
import type { SharedRange } from '../watch/sharing/shared-range.js';
import { ClusterRuntime } from './cluster.runtime.js';
import { type CoordinationDescription, describeCoordination, describeOwner } from './coordination.description.js';
import { type DefinitionSchema, definitionSchemas } from './definition-schema.js';
import { type EffectiveConfig, effectiveConfigs } from './effective-config.js';
import { instancesOf } from './module-graph.js';
import { printable } from '../foreign/foreign-text.js';
import { typeName } from '../dto/value-type.js';

/** A snapshot of all clusters of an application. Safe to log or display, because it contains no values. */
export interface EtcdTriggerDescription {
  readonly clusters: readonly ClusterDescription[];
}

/** The state of one cluster. */
export interface ClusterDescription {
  readonly name: string;
  readonly serviceName: string;
  readonly podName: string;
  readonly targets: readonly TargetDescription[];
  readonly handlers: readonly HandlerDescription[];
  readonly store: StoreDescription;
  readonly crons: readonly CronDescription[];
  /** The resources of `liveProvider`. */
  readonly live: readonly LiveDescription[];
  /** `undefined` without the option `coordination`. */
  readonly coordination: CoordinationDescription | undefined;
  /**
   * Names of the deliveries inside of the library that have failed unexpectedly and not succeeded since, such as
   * `key "/app/db"`. The metric `etcd_trigger.delivery.failures` counts their failures.
   */
  readonly failing: readonly string[];
}

/** One watched target and its stream. */
export interface TargetDescription {
  /** For example `prefix "/app/"`. */
  readonly target: string;
  readonly state: StreamState;
  /** All changes up to this revision were received. */
  readonly revision: number;
  readonly keys: number;
  readonly listeners: number;
  /** Number of listeners whose delivery has failed unexpectedly and is retried. */
  readonly failing: number;
  /** Milliseconds since the last message from etcd about this target. Grows while the target does not change. */
  readonly confirmedAgoMs: number | undefined;
}

/** One `@WatchKey` of one method. See `WatchKeyHandler` for the members. */
export interface HandlerDescription {
  /** `Class.method`. */
  readonly name: string;
  /** For example `prefix "/app/"` or `pattern "/tenants/:tenant/"`. */
  readonly target: string;
  readonly state: WatchKeyHandler['state'];
  readonly revision: number;
  readonly pending: number;
  readonly calls: number;
  readonly failures: number;
  readonly invalid: number;
  readonly refused: number;
  readonly timedCalls: number;
  readonly timedMs: number;
}

/** One `@ClusterCron` job, with the counts of this instance. */
export interface CronDescription {
  readonly name: string;
  /** `Class.method`. */
  readonly method: string;
  readonly expression: string;
  /**
   * - `standby`: this instance does not own the job.
   * - `owner`: this instance owns the job and starts its ticks.
   * - `behind`: the clock of this instance is more than `graceMs` behind the last tick. It does not claim the job.
   * - `unreadable`: the last tick in etcd is not one of this version. This instance does not claim the job.
   */
  readonly state: CronJobStatus['state'];
  /** The owner of the job as last seen, which may be this instance. */
  readonly owner: ElectionLeader | undefined;
  /** The last tick that any instance has started or dropped, in ISO 8601; `undefined` if none is known. */
  readonly lastTick: string | undefined;
  /** The next tick by the clock of this instance, in ISO 8601. */
  readonly nextTick: string | undefined;
  readonly running: boolean;
  readonly started: number;
  readonly missed: number;
  readonly skipped: number;
  readonly failed: number;
}

/** The state of the store and its definitions. */
export interface StoreDescription {
  readonly status: StoreStatus;
  readonly definitions: readonly DefinitionDescription[];
}

/** One definition and its keys. */
export interface DefinitionDescription {
  /** For example `key "/app/db"`. */
  readonly target: string;
  /** Name of the class, or the kind of schema, such as `zod schema`. */
  readonly type: string;
  readonly required: boolean;
  /** With `resolve`: `kept` while secrets cannot be refreshed, so that the last good ones stay. */
  readonly secrets?: 'current' | 'kept';
  /** The layers that are merged, with their revisions; `undefined` for a definition without layers and override. */
  readonly layers?: readonly ConfigLayer[];
  readonly keys: readonly KeyDescription[];
}

/** The state of one key of a definition, without its value. */
export interface KeyDescription {
  readonly key: string;
  readonly state: ConfigEntry<unknown>['state'];
  /** `'masked'` if readers see a value. */
  readonly value: 'masked' | undefined;
  readonly revision: number;
  readonly source: ConfigEntry<unknown>['source'];
  /** Milliseconds since this process received the current value. */
  readonly ageMs: number;
  readonly rejectedRevision?: number;
  readonly violations?: readonly ConfigViolation[];
}

/** Describes the state of all clusters for diagnostics and health checks, as plain data. */
export class EtcdTriggerInspector {
  /** @internal */
  constructor(private readonly discovery: DiscoveryService) {}

  /** Describes all clusters of the application. No description contains a value. */
  describe(): EtcdTriggerDescription {
    return { clusters: instancesOf(this.discovery, ClusterRuntime).map(describeCluster) };
  }

  /**
   * Returns the configuration that readers see, key by key, with its revision and source. `***` replaces secrets:
   * properties with `@Secret()`, and all properties of a `secret` definition. All other values are included, so declare
   * the secrets before you log it.
   */
  effective(): EffectiveConfig[] {
    return instancesOf(this.discovery, ClusterRuntime).flatMap(({ name, feeds }) =>
      feeds.flatMap((feed) => effectiveConfigs(name, feed)),
    );
  }

  /**
   * Returns the JSON Schemas of all definitions, for editors and forms; available once the application is initialized.
   * The schema of a class comes from the package `class-validator-jsonschema`, that of a Standard Schema from its own
   * library.
   * @throws InvalidOptionsError if a definition has a class and `class-validator-jsonschema` is not installed
   */
  schema(): DefinitionSchema[] {
    return instancesOf(this.discovery, ClusterRuntime).flatMap(({ name, feeds }) =>
      definitionSchemas(
        name,
        feeds.map(({ definition }) => definition),
      ),
    );
  }
}

const describeCluster = (cluster: ClusterRuntime): ClusterDescription => ({
  ...describeActivity(cluster),
  store: { status: cluster.storeStatus, definitions: cluster.feeds.map(describeDefinition) },
});

/** Describes a cluster without its store. The cost does not depend on the number of keys. */
export function describeActivity(cluster: ClusterRuntime): Omit<ClusterDescription, 'store'> {
  const { name, options, ranges, registry, coordination } = cluster;
  return {
    name: printable(name),
    serviceName: printable(options.serviceName),
    podName: printable(options.podName),
    targets: ranges.all.map(describeTarget),
    handlers: describeHandlers(registry),
    crons: (coordination?.crons ?? []).map(describeCron),
    live: cluster.live.describe(),
    coordination: coordination && describeCoordination(coordination),
    failing: ranges.failures.subjects.map(printable),
  };
}

const describeTarget = ({ range, state, cache, listenerCount, failing }: SharedRange): TargetDescription => ({
  target: range.toString(),
  state,
  revision: cache ? cache.next - 1 : 0,
  keys: cache?.size ?? 0,
  listeners: listenerCount,
  failing,
  confirmedAgoMs: cache && Math.round(performance.now() - cache.confirmedAt),
});

const describeHandlers = (registry: WatchKeyRegistry): HandlerDescription[] =>
  registry.list().map((handler) => ({
    name: handler.name,
    target: handler.targetName,
    state: handler.state,
    revision: handler.revision,
    pending: handler.pending,
    calls: handler.calls,
    failures: handler.failures,
    invalid: handler.invalid,
    refused: handler.refused,
    timedCalls: handler.timedCalls,
    timedMs: handler.timedMs,
  }));

const describeCron = ({ name, method, expression, owner, lastTick, nextTick, status }: CronJob): CronDescription => ({
  name,
  method,
  expression,
  owner: describeOwner(owner),
  lastTick: lastTick?.toISOString(),
  nextTick: nextTick?.toISOString(),
  ...status,
});

const describeDefinition = (feed: DefinitionFeed): DefinitionDescription => ({
  target: feed.subject,
  type: typeName(feed.definition.type),
  required: feed.definition.required,
  ...(feed.areSecretsKept !== undefined && { secrets: feed.areSecretsKept ? 'kept' : 'current' }),
  ...(feed.definition.layers && { layers: describeLayers(feed) }),
  keys: describeKeys(feed),
});

const describeLayers = (feed: DefinitionFeed): ConfigLayer[] =>
  (feed.definition.layers ?? []).map((key) => ({ key: printable(key), revision: feed.headRevision(key) }));

const describeKeys = ({ cache }: DefinitionFeed): KeyDescription[] =>
  [...cache.knownKeys()].sort().map((key) => {
    const { value, ...entry } = cache.entry(key);
    return {
      key: printable(key),
      ...entry,
      value: value === undefined ? undefined : 'masked',
      ageMs: cache.ageMs(key),
    };
  });
