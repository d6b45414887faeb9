import type { WatchTarget } from '../backend/key-range.js';

/** How an event came to a listener: read by the first list, followed live, or found by comparing after history was lost. */
export type WatchOrigin = 'initial' | 'live' | 'resync';

/** One change of one key. Immutable; `keyBytes`, `value` and `previous` are shared between listeners and must not be written to. */
export interface WatchEvent {
  readonly type: 'put' | 'delete';
  /** The key as UTF-8, without the cluster's `keyPrefix`. */
  readonly key: string;
  /** The key byte for byte, without the cluster's `keyPrefix`; identity inside the library. */
  readonly keyBytes: Buffer;
  /** The bytes written, possibly none (`length` 0); `undefined` on delete. */
  readonly value: Buffer | undefined;
  /** What this listener was last given for the key, `undefined` if it was absent. Kept in memory; not asked of etcd. */
  readonly previous: Buffer | undefined;
  /** etcd's store revision of the change (`mod_revision`); of a delete found by comparing, the revision of the list. */
  readonly revision: number;
  /** Revision at which the key came into being; 0 on delete. */
  readonly createRevision: number;
  /** Number of writes since the key came into being; 0 on delete. */
  readonly version: number;
  /** Lease the key hangs on, in decimal (ids exceed 2^53); `undefined` for none. */
  readonly lease: string | undefined;
  readonly origin: WatchOrigin;
}

/** All changes of one revision inside a target; for `initial` and `resync` the whole list or difference, keys in byte order. */
export interface WatchBatch {
  readonly revision: number;
  readonly events: readonly WatchEvent[];
  readonly origin: WatchOrigin;
}

/** Says that the changes of a range of revisions were not delivered one by one, but as their net difference. */
export interface ResyncNotice {
  readonly target: WatchTarget;
  /** First revision that was not delivered one by one. */
  readonly fromRevision: number;
  /** Revision of the list whose difference was delivered instead. */
  readonly toRevision: number;
  /** `compacted`: etcd no longer holds the history; `restored`: the store has another past; `cluster-changed`: it is another cluster. */
  readonly reason: 'compacted' | 'restored' | 'cluster-changed';
}

/** A key that etcd holds. */
export interface KeyValue {
  readonly key: string;
  readonly keyBytes: Buffer;
  readonly value: Buffer;
  readonly revision: number;
  readonly createRevision: number;
  readonly version: number;
  readonly lease: string | undefined;
}

/** What a handler is told of the call it is in. */
export interface DeliveryContext {
  /** Aborts when the call shall end: its `timeoutMs` is over, or shutdown has waited for `drainTimeoutMs`. */
  readonly signal: AbortSignal;
  /** 1 for the first call with an event, one more for each retry. */
  readonly attempt: number;
}

/** What is called: for each event, or for each revision. */
export type WatchHandler =
  | { readonly event: (event: WatchEvent, context: DeliveryContext) => unknown }
  | { readonly batch: (batch: WatchBatch, context: DeliveryContext) => unknown };

/** What a handler did not manage to take. */
export interface WatchFailure {
  /** The event that was given up; of a batch, its first. */
  readonly event: WatchEvent;
  /** The whole batch, where batches are handled. */
  readonly batch: WatchBatch | undefined;
  /** `Class.method`, or `handler of prefix "/app/"`. */
  readonly handler: string;
  /** How often the handler was called with it. */
  readonly attempts: number;
  /** What the last call threw. It may quote values. */
  readonly error: unknown;
}
