import { Injectable } from '@nestjs/common';
import {
  type ConfigEntry,
  type CronDescription,
  type ElectionDescription,
  EtcdTriggerInspector,
  type HandlerDescription,
  type LockDescription,
  StoreService,
  type TargetDescription,
} from 'nestjs-etcd-trigger';
import { type ConfigurationName, CONFIGURATIONS } from './configurations.js';
import { DatabaseClient } from './database.client.js';
import { POD } from './identity.js';
import { type Instance, Instances } from './instances.js';
import { isSecret, masked } from './masking.js';
import { OrderTotals, type Totals } from './order-totals.js';

/** State shown on the page: plain data, with secrets masked. */
export interface AppState {
  readonly status: StoreService['status'];
  /** True if every watched target is being followed. */
  readonly isFollowing: boolean;
  readonly connectsTo: string;
  readonly configurations: readonly ShownConfiguration[];
  readonly targets: readonly ShownTarget[];
  readonly handlers: readonly HandlerDescription[];
  readonly pods: ShownPods;
}

/** The elections, locks, cron jobs and instances, as this instance sees them. */
export interface ShownPods {
  /** This instance. */
  readonly pod: string;
  readonly instances: readonly Instance[];
  readonly totals: Totals | undefined;
  readonly elections: readonly ElectionDescription[];
  /** The locks of this instance. */
  readonly locks: readonly LockDescription[];
  readonly crons: readonly CronDescription[];
  /** Reasons why this instance cannot take part. */
  readonly problems: readonly string[];
}

export type ShownConfiguration = Pick<
  ConfigEntry<object>,
  'state' | 'revision' | 'source' | 'rejectedRevision' | 'violations'
> & {
  readonly name: string;
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>> | undefined;
  readonly secrets: readonly string[];
};

/** Without its age, which changes constantly. */
export type ShownTarget = Omit<TargetDescription, 'confirmedAgoMs'>;

/** Describes the current state of the application, from memory. */
@Injectable()
export class LiveState {
  constructor(
    private readonly store: StoreService,
    private readonly inspector: EtcdTriggerInspector,
    private readonly database: DatabaseClient,
    private readonly instances: Instances,
    private readonly totals: OrderTotals,
  ) {}

  now(): AppState {
    const clusters = this.inspector.describe().clusters;
    const targets = clusters
      .flatMap((cluster) => cluster.targets)
      .map(({ target, state, revision, keys, listeners, failing }) => ({
        target,
        state,
        revision,
        keys,
        listeners,
        failing,
      }));
    return {
      status: this.store.status,
      isFollowing: targets.every(({ state }) => state === 'following'),
      connectsTo: this.database.url,
      configurations: Object.keys(CONFIGURATIONS).map((name) => this.configuration(name as ConfigurationName)),
      targets,
      handlers: clusters.flatMap(({ handlers }) => handlers),
      pods: this.pods,
    };
  }

  get pods(): ShownPods {
    const { coordination, crons = [] } = this.inspector.describe().clusters[0] ?? {};
    return {
      pod: POD,
      instances: this.instances.all.value,
      totals: this.totals.latest,
      elections: coordination?.elections ?? [],
      locks: coordination?.locks ?? [],
      crons,
      problems: coordination?.problems ?? [],
    };
  }

  configuration(name: ConfigurationName): ShownConfiguration {
    const { key, type } = CONFIGURATIONS[name];
    const { value, ...known } = this.store.entry<object>(key, type);
    return { name, key, ...known, value: value && masked(value), secrets: Object.keys(value ?? {}).filter(isSecret) };
  }
}
