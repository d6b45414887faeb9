import type { WatchTarget } from '../backend/key-range.js';

/**
 * `initial`: read by the initial list. `live`: received from the stream. `resync`: part of the difference after lost
 * history.
 */
export type WatchOrigin = 'initial' | 'live' | 'resync';

/**
 * One change of one key. Listeners share `keyBytes`, `value` and `previous`, which must not be modified. JSON and
 * `util.inspect` show the lengths of `value` and `previous`, because values can be secrets.
 */
export interface WatchEvent {
  readonly type: 'put' | 'delete';
  /** The key as UTF-8, without the cluster's `keyPrefix`. */
  readonly key: string;
  /** The exact bytes of the key, without the cluster's `keyPrefix`. */
  readonly keyBytes: Buffer;
  /** The written bytes, possibly empty; `undefined` for a delete. */
  readonly value: Buffer | undefined;
  /**
   * The value that this listener last received for the key, `undefined` if it was absent. Read from memory, not from
   * etcd.
   */
  readonly previous: Buffer | undefined;
  /**
   * etcd's store revision of the change (`mod_revision`). For a delete of origin `resync`, the revision of the list.
   */
  readonly revision: number;
  /** Revision at which the key was created; 0 for a delete. */
  readonly createRevision: number;
  /** Number of writes since the key was created; 0 for a delete. */
  readonly version: number;
  /** Id of the key's lease, in decimal (ids exceed 2^53); `undefined` for none. */
  readonly lease: string | undefined;
  readonly origin: WatchOrigin;
}

/**
 * All changes of one revision in a target. For `initial` and `resync`, the whole list or difference, keys in byte
 * order.
 */
export interface WatchBatch {
  readonly revision: number;
  readonly events: readonly WatchEvent[];
  readonly origin: WatchOrigin;
}

/**
 * Reports that the changes of some revisions are delivered as their net difference, because etcd no longer holds them.
 */
export interface ResyncNotice {
  readonly target: WatchTarget;
  /** The first revision whose changes are not delivered one by one. */
  readonly fromRevision: number;
  /** The revision of the list whose difference is delivered instead. */
  readonly toRevision: number;
  /**
   * `compacted`: the history was compacted. `restored`: the store has another history. `cluster-changed`: it is another
   * cluster.
   */
  readonly reason: 'compacted' | 'restored' | 'cluster-changed';
}

/** A key as `WatcherService.get` reads it. */
export interface KeyValue {
  readonly key: string;
  readonly keyBytes: Buffer;
  readonly value: Buffer;
  readonly revision: number;
  readonly createRevision: number;
  readonly version: number;
  readonly lease: string | undefined;
}

/** The context of one handler call. */
export interface DeliveryContext {
  /** Aborts when the call has exceeded its `timeoutMs`, or when shutdown has waited for `drainTimeoutMs`. */
  readonly signal: AbortSignal;
  /** 1 for the first call with an event, increased by each retry. */
  readonly attempt: number;
}

/** A handler for single events, or for whole revisions. */
export type WatchHandler =
  | { readonly event: (event: WatchEvent, context: DeliveryContext) => unknown }
  | { readonly batch: (batch: WatchBatch, context: DeliveryContext) => unknown };

/** An event or batch whose last attempt has failed. */
export interface WatchFailure {
  /** The event; for a batch, its first event. */
  readonly event: WatchEvent;
  /** The whole batch; `undefined` for a handler of single events. */
  readonly batch: WatchBatch | undefined;
  /** `Class.method`, or `handler of prefix "/app/"`. */
  readonly handler: string;
  /** Number of calls with the event or batch. */
  readonly attempts: number;
  /** The error of the last call. It may quote values. */
  readonly error: unknown;
}
