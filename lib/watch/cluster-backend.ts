import type { ClusterActivity } from './cluster-activity.js';
import type { KeyValueStore } from './key-value.js';
import type { LeaseStore } from './lease.js';
import type { ListWatcher } from './list-watcher.js';

/** What one cluster of an application runs on: real etcd (`lib/etcd`), or an etcd in memory (`./testing`). */
export interface ClusterBackend {
  /** What applications inject as their `Etcd3`, where there is one. */
  readonly client?: object;
  readonly listWatcher: ListWatcher;
  readonly keyValue: KeyValueStore;
  readonly leases: LeaseStore;
  /** Local, immediate and idempotent: streams end, requests under way fail. */
  close(): void;
}

/** On whose terms a backend works. */
export interface BackendTerms {
  /** Put before every key, and stripped from every key handed out. */
  readonly keyPrefix: string;
  /** Limit of a single request, in milliseconds. */
  readonly requestTimeoutMs: number;
  readonly activity: () => ClusterActivity;
}

/** The same symbol in every copy of this package. */
export const OPEN_BACKEND = Symbol.for('nestjs-etcd-trigger:open-backend');

/** Where a cluster's backend comes from. */
export interface BackendSource {
  /** @throws InvalidOptionsError when it cannot work */
  [OPEN_BACKEND](terms: BackendTerms): ClusterBackend;
}

export const isBackendSource = (candidate: unknown): candidate is BackendSource =>
  typeof candidate === 'object' &&
  candidate !== null &&
  typeof (candidate as Partial<BackendSource>)[OPEN_BACKEND] === 'function';
