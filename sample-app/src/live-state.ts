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

/** State shown on the page: plain data, with secrets masked. */
export interface AppState {
  readonly status: StoreService['status'];
  /** True if every watched target is being followed. */
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

/** Without its age, which changes constantly. */
export type ShownTarget = Omit<TargetDescription, 'confirmedAgoMs'>;

/** Describes the current state of the application, from memory. */
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
    };
  }

  configuration(name: ConfigurationName): ShownConfiguration {
    const { key, type } = CONFIGURATIONS[name];
    const { value, ...known } = this.store.entry<object>(key, type);
    return { name, key, ...known, value: value && masked(value), secrets: Object.keys(value ?? {}).filter(isSecret) };
  }
}
