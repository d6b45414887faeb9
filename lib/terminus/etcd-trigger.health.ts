import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import {
  type ClusterDescription,
  type DefinitionDescription,
  EtcdTriggerInspector,
} from '../module/etcd-trigger.inspector.js';
import { quoted } from '../foreign/foreign-text.js';

/** Health of one cluster. Contains names and keys, never values. */
export interface ClusterHealth {
  /** `degraded`: the cluster works, but needs attention. `down`: something required is missing. */
  readonly state: 'up' | 'degraded' | 'down';
  /** One sentence each; absent if `up`. */
  readonly reasons?: readonly string[];
}

/**
 * Health indicator for `@nestjs/terminus` over all clusters of the application. Add it to the providers of your health
 * module. Liveness checks less than readiness, because restarting the application does not bring etcd back.
 */
@Injectable()
export class EtcdTriggerHealthIndicator {
  constructor(
    private readonly health: HealthIndicatorService,
    private readonly inspector: EtcdTriggerInspector,
  ) {}

  /** For liveness: `down` only if the module is closed. An unreachable etcd does not fail it. */
  live<const Key extends string = 'etcd'>(key: Key = 'etcd' as Key): HealthIndicatorResult<Key> {
    const closed = this.inspector
      .describe()
      .clusters.filter(({ store }) => store.status === 'closed')
      .map(({ name }) => `cluster ${quoted(name)} is closed`);
    const session = this.health.check(key);
    return closed.length === 0 ? session.up() : session.down({ reasons: closed });
  }

  /**
   * For readiness: `down` if something required is missing or was never read, or if the module is closed. Still `up`
   * with `state: 'degraded'` if the store started degraded, a value is invalid, a required one was deleted in etcd, a
   * watch is interrupted, secrets of references cannot be refreshed, a delivery inside of the library has failed
   * unexpectedly and not succeeded since, a handler is halted, a live resource is kept, this instance leaves a cron job
   * to others because of its last tick, or it cannot take part in elections, cron jobs, locks and handler groups because
   * etcd does not confirm its lease or refuses its keys, or for another reason that `describe()` lists as a problem.
   */
  ready<const Key extends string = 'etcd'>(key: Key = 'etcd' as Key): HealthIndicatorResult<Key> {
    const clusters = Object.fromEntries(
      this.inspector.describe().clusters.map((cluster) => [cluster.name, healthOf(cluster)] as const),
    );
    const states = Object.values(clusters).map(({ state }) => state);
    const session = this.health.check(key);
    if (states.includes('down')) return session.down({ clusters });
    return session.up({ state: states.includes('degraded') ? 'degraded' : 'up', clusters });
  }
}

function healthOf(cluster: ClusterDescription): ClusterHealth {
  const failures = failuresOf(cluster);
  if (failures.length > 0) return { state: 'down', reasons: failures };
  const warnings = warningsOf(cluster);
  return warnings.length > 0 ? { state: 'degraded', reasons: warnings } : { state: 'up' };
}

function failuresOf({ store: { status, definitions } }: ClusterDescription): string[] {
  if (status === 'starting' || status === 'closed') return [`the store is ${status}`];
  return definitions
    .filter(({ required, keys }) => required && shownOf(keys).length === 0)
    .map(({ target }) => `${target} is required but has no valid value`);
}

function warningsOf({ store, targets, handlers, crons, live, coordination, failing }: ClusterDescription): string[] {
  const invalid = store.definitions
    .flatMap(({ keys }) => keys)
    .filter(({ state }) => state === 'invalid')
    .map(({ key }) => `the value of ${quoted(key)} in etcd is invalid`);
  const deleted = store.definitions
    .filter(({ required, keys }) => required && shownOf(keys).every(({ state }) => state === 'kept'))
    .map(
      ({ target }) => `${target} is required and was deleted in etcd: the last value stays, and no restart succeeds`,
    );
  const interrupted = targets
    .filter(({ state }) => state === 'interrupted')
    .map(({ target }) => `the watch of ${target} is interrupted`);
  const unrefreshed = store.definitions
    .filter(({ secrets }) => secrets === 'kept')
    .map(({ target }) => `the secrets of ${target} cannot be refreshed`);
  const unexpected = failing.map(
    (subject) => `the delivery of ${subject} has failed unexpectedly, and not succeeded since`,
  );
  const halted = handlers
    .filter(({ state }) => state === 'halted')
    .map(({ name, target }) => `${name} (${target}) is halted`);
  const waiting = crons.flatMap(({ name, state }) => {
    if (state === 'behind') return [`the clock is behind the last tick of the cron job "${name}"`];
    return state === 'unreadable' ? [`the last tick of the cron job "${name}" cannot be read`] : [];
  });
  const kept = live.flatMap(({ name, reason }) => {
    if (reason === 'config-deleted') return [`${name} is kept, because its configuration was deleted`];
    return reason ? [`${name} is kept, because it cannot be created from its configuration`] : [];
  });
  const incomplete = store.status === 'degraded' ? ['the store started without some of its configuration'] : [];
  const problems = coordination?.problems ?? [];
  return [
    ...incomplete,
    ...someOf(invalid, 'more values in etcd are invalid'),
    ...deleted,
    ...someOf(interrupted, 'more watches are interrupted'),
    ...unrefreshed,
    ...unexpected,
    ...halted,
    ...waiting,
    ...kept,
    ...problems,
  ];
}

const shownOf = (keys: DefinitionDescription['keys']): DefinitionDescription['keys'] =>
  keys.filter(({ value }) => value !== undefined);

/** The first reasons, and how many there are further. */
const someOf = (reasons: readonly string[], more: string): string[] => [
  ...reasons.slice(0, MAX_REASONS),
  ...(reasons.length > MAX_REASONS ? [`${reasons.length - MAX_REASONS} ${more}`] : []),
];

/** Number of reasons of one kind. */
const MAX_REASONS = 20;
