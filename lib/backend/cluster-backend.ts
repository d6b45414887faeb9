import type { KeyRange } from './key-range.js';
import type { KeyStamp } from './key-record.js';
import type { KeyValueStore } from './key-value-store.js';
import type { LeaseClock } from './lease-clock.js';
import type { LeaseStore } from './lease-store.js';
import type { InstanceLog } from '../etcd-trigger.log.js';
import type { ListWatcher } from './list-watcher.js';
import type { TransactionLimits } from './transaction-limits.js';
import type { WallClock } from './wall-clock.js';

/** The backend of one cluster: a real etcd (`lib/etcd`), or an etcd in memory (`./testing`). */
export interface ClusterBackend {
  /** The `Etcd3` that applications inject; left out where there is none. */
  client?(): object | Promise<object>;
  readonly listWatcher: ListWatcher;
  readonly keyValue: KeyValueStore;
  readonly leases: LeaseStore;
  /** @default the clocks of the system */
  readonly leaseClock?: LeaseClock;
  /** @default the wall clock of the system */
  readonly wallClock?: WallClock;
  /** Local, immediate and idempotent. Streams end, and pending requests fail. */
  close(): void;
}

export interface BackendOptions {
  /** Prepended to every key, and stripped from every key that the backend returns. */
  readonly keyPrefix: string;
  /** Time limit of a single request, in milliseconds. */
  readonly requestTimeoutMs: number;
  readonly activity: () => ClusterActivity;
  /** @default etcd's own defaults */
  readonly limits?: TransactionLimits | undefined;
  readonly log?: InstanceLog | undefined;
}

/** The same symbol in every copy of this package. */
export const OPEN_BACKEND = Symbol.for('nestjs-etcd-trigger:open-backend');

/** Opens the backend of a cluster. */
export interface BackendSource {
  /**
   * @internal
   * @throws InvalidOptionsError for options that cannot work
   */
  [OPEN_BACKEND](options: BackendOptions): ClusterBackend;
}

export const isBackendSource = (candidate: unknown): candidate is BackendSource =>
  typeof candidate === 'object' &&
  candidate !== null &&
  typeof (candidate as Partial<BackendSource>)[OPEN_BACKEND] === 'function';

/** The part of a shared range that tests look at to see whether all changes were delivered. */
export interface RangeActivity {
  readonly range: KeyRange;
  readonly state: 'starting' | 'following' | 'interrupted';
  /** True if every listener that is not paused has received exactly these writes. */
  hasCaughtUpWith(stamps: readonly KeyStamp[]): boolean;
}

/** A candidate in an election, as tests decide about it. */
export interface CandidateActivity {
  readonly name: string;
  /** The key of the owner, without the `keyPrefix`. */
  readonly range: KeyRange;
  readonly isLeader: boolean;
  /** Ends a present term. Then the candidate claims nothing until another one leads, or `endStandby` is called. */
  standBy(): void;
  endStandby(): void;
}

/** The pending work of one cluster of an application. Tests poll it until nothing is pending. */
export interface ClusterActivity {
  readonly backend: ClusterBackend;
  readonly ranges: readonly RangeActivity[];
  /** One line for each busy handler, for example `OrderEvents.onOrder: 2 events`. Paused handlers are left out. */
  readonly busy: readonly string[];
  /** Work that begins as soon as etcd accepts a write to the range. */
  readonly due?: readonly { readonly range: KeyRange; readonly name: string }[];
  /** The decorated methods, while the application is not initialized: none of them is called. */
  readonly unattached?: readonly string[];
  /** The elections in which the application is a candidate. */
  readonly candidates?: readonly CandidateActivity[];
}
