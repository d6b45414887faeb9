import { Injectable } from '@nestjs/common';
import {
  type ConfigEntry,
  EtcdTriggerInspector,
  type HandlerDescription,
  StoreService,
  type TargetDescription,
} from 'nestjs-etcd-trigger';
import { type ConfigurationName, CONFIGURATIONS } from './configurations.js';
import { DatabaseClient } from './database.client.js';
import { isSecret, masked } from './masking.js';

/** What the page shows: plain data, secrets masked. */
export interface AppState {
  readonly status: StoreService['status'];
  /** Whether every watched target is followed at the moment. */
  readonly isFollowing: boolean;
  readonly connectsTo: string;
  readonly configurations: readonly ShownConfiguration[];
  readonly targets: readonly ShownTarget[];
  readonly handlers: readonly HandlerDescription[];
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

/** Without its age, which differs at each look. */
export type ShownTarget = Omit<TargetDescription, 'confirmedAgoMs'>;

/** Tells what the application runs on now, from memory. */
@Injectable()
export class LiveState {
  constructor(
    private readonly store: StoreService,
    private readonly inspector: EtcdTriggerInspector,
    private readonly database: DatabaseClient,
  ) {}

  now(): AppState {
    const clusters = this.inspector.describe().clusters;
    const targets = clusters
      .flatMap((cluster) => cluster.targets)
      .map(({ target, state, revision, keys, listeners }) => ({ target, state, revision, keys, listeners }));
    return {
      status: this.store.status,
      isFollowing: targets.every(({ state }) => state === 'following'),
      connectsTo: this.database.url,
      configurations: Object.keys(CONFIGURATIONS).map((name) => this.configuration(name as ConfigurationName)),
      targets,
      handlers: clusters.flatMap(({ handlers }) => handlers),
    };
  }

  configuration(name: ConfigurationName): ShownConfiguration {
    const { key, type } = CONFIGURATIONS[name];
    const { value, ...known } = this.store.entry<object>(key, type);
    return { name, key, ...known, value: value && masked(value), secrets: Object.keys(value ?? {}).filter(isSecret) };
  }
}
