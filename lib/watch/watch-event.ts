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

/** What to watch: one key, or every key that begins with a prefix. A plain string is a prefix; the empty prefix only as `{ prefix: '' }`. */
export type WatchTarget = string | { readonly prefix: string | Buffer } | { readonly key: string | Buffer };

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
