import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { type ClusterDescription, EtcdTriggerInspector } from '../module/etcd-trigger.inspector.js';

/** What is known of one cluster's health: names and keys, never values. */
export interface ClusterHealth {
  /** `up`; `degraded`: it works, with something to look at; `down`: it has not what it needs. */
  readonly state: 'up' | 'degraded' | 'down';
  /** Each in one sentence. */
  readonly reasons?: readonly string[];
}

/**
 * Health of all clusters of the application, for `@nestjs/terminus`: list it among the providers of your health module. A restart does not bring etcd
 * back, so liveness asks less than readiness.
 */
@Injectable()
export class EtcdTriggerHealthIndicator {
  constructor(
    private readonly health: HealthIndicatorService,
    private readonly inspector: EtcdTriggerInspector,
  ) {}

  /** For liveness: `down` only when the module is closed. Whether etcd can be reached is no matter for a restart. */
  live<const Key extends string = 'etcd'>(key: Key = 'etcd' as Key): HealthIndicatorResult<Key> {
    const closed = this.inspector
      .describe()
      .clusters.filter(({ store }) => store.status === 'closed')
      .map(({ name }) => `cluster "${name}" is closed`);
    const session = this.health.check(key);
    return closed.length === 0 ? session.up() : session.down({ reasons: closed });
  }

  /**
   * For readiness: `down` when something that is required is missing or has never been read, or the module is closed; still `up` with `state: 'degraded'`
   * when values are stale, refused or kept, or a handler is halted.
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
  const missing = shortcomingsOf(cluster);
  if (missing.length > 0) return { state: 'down', reasons: missing };
  const warnings = warningsOf(cluster);
  return warnings.length > 0 ? { state: 'degraded', reasons: warnings } : { state: 'up' };
}

/** What the application needs and has not. */
function shortcomingsOf({ store: { status, definitions } }: ClusterDescription): string[] {
  if (status === 'starting' || status === 'closed') return [`the store is ${status}`];
  return definitions
    .filter(({ required, keys }) => required && !keys.some(({ value }) => value !== undefined))
    .map(({ target }) => `${target} is required and there is no valid value`);
}

function warningsOf({ store, targets, handlers }: ClusterDescription): string[] {
  const refused = store.definitions
    .flatMap(({ keys }) => keys)
    .filter(({ state }) => state === 'invalid')
    .map(({ key }) => `"${key}" holds a value that was refused`);
  const interrupted = targets
    .filter(({ state }) => state === 'interrupted')
    .map(({ target }) => `${target} is not followed at the moment`);
  const halted = handlers
    .filter(({ state }) => state === 'halted')
    .map(({ name, target }) => `${name} (${target}) is halted`);
  const incomplete = store.status === 'degraded' ? ['the store started without something that could not be read'] : [];
  return [...incomplete, ...refused, ...interrupted, ...halted];
}
