import type { Fence } from '../backend/fence.js';
import type { WatchTarget } from '../backend/key-range.js';
import type { ConfigTransaction } from '../config-transaction.js';

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
   * The value of the key before this change, `undefined` if it was absent; with `delivery: 'latest'` and after lost
   * history, before all changes that are delivered as this one. Read from memory, not from etcd.
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
  /**
   * True if the difference contains the keys that were deleted meanwhile. False for a handler group that no instance ran
   * at that time, unless it remembers its keys.
   */
  readonly deletionsKnown: boolean;
  /** The handler group whose partition has lost history. */
  readonly group?: string | undefined;
  /** The partition of the group, from 0. */
  readonly partition?: number | undefined;
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
  /** In a handler group, the proof that this instance owns the partition of the event. `undefined` in other handlers. */
  readonly fence: Fence | undefined;
  /**
   * True if another owner of the partition may have handled the event before, in part or as a whole. Always false in
   * handlers without a group.
   */
  readonly redelivered: boolean;
  /**
   * In a handler group: applies writes, and stores in the same transaction that the event is handled, or all events of
   * the batch. So the effect is there exactly once, whatever fails. May be applied once in a call; after a refusal it
   * may be called again. Without writes, it only stores that the event is handled.
   *
   * @throws RevisionConflictError if a demanded revision does not hold; nothing was written
   * @throws FenceLostError if this instance no longer owns the partition; nothing was written
   * @throws UnknownOutcomeError if the answer was lost and another owner has gone on since
   * @throws InvalidOptionsError without a group, after the end of the call, and for invalid writes
   */
  readonly commit: (build: (tx: ConfigTransaction) => void) => Promise<void>;
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
