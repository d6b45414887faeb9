import type { KeyRecord } from './key-record.js';

/**
 * A precondition of a transaction on one key: each given property must equal that of the key. An absent key has 0 for
 * all of them.
 */
export interface Condition {
  readonly rawKey: string;
  /** Revision of the last write. */
  readonly revision?: number | undefined;
  /** Revision at which the key was created. */
  readonly createRevision?: number | undefined;
  /** Decimal id of the lease. */
  readonly lease?: string | undefined;
  /**
   * Makes `rawKey` a prefix, as the only property: there is a key with the prefix, and none was created before this
   * revision. 0: there is no such key.
   */
  readonly noneCreatedBefore?: number | undefined;
}

/** True if a record, or the absence of one, meets the condition on a key. */
export const isMet = ({ revision, createRevision, lease }: Condition, record: KeyRecord | undefined): boolean =>
  (revision === undefined || revision === (record?.revision ?? 0)) &&
  (createRevision === undefined || createRevision === (record?.createRevision ?? 0)) &&
  (lease === undefined || lease === (record?.lease ?? '0'));

/** The number of etcd's compares that the conditions take. */
export function compareCount(conditions: readonly Condition[]): number {
  let count = 0;
  for (const { revision, createRevision, lease, noneCreatedBefore } of conditions) {
    for (const target of [revision, createRevision, lease, noneCreatedBefore]) if (target !== undefined) count += 1;
  }
  return count;
}

export type Operation =
  | { readonly type: 'put'; readonly rawKey: string; readonly value: Buffer; readonly lease?: string | undefined }
  | { readonly type: 'delete'; readonly rawKey: string; readonly lease?: undefined };

export interface Transaction {
  /** For messages, for example `put "/app/a"`. */
  readonly what: string;
  /** The key that errors name. Absent for several keys. */
  readonly key?: string | undefined;
  readonly conditions?: readonly Condition[];
  readonly operations: readonly Operation[];
  /**
   * False for a caller to whom a refusal tells enough, such as that of a write with one fence: etcd reads no key then,
   * and `current` is empty.
   * @default true
   */
  readonly readsOnRefusal?: boolean | undefined;
}

export type TransactionResult =
  /** `deleted`: the raw keys that existed and were deleted. */
  | { readonly applied: true; readonly revision: number; readonly deleted: readonly string[] }
  /**
   * `current`: the records of the keys of the conditions, in their order; empty if `readsOnRefusal` is false. For
   * `noneCreatedBefore`, the record of the newest key that was created before, or for 0 of the newest key.
   */
  | { readonly applied: false; readonly revision: number; readonly current: readonly (KeyRecord | undefined)[] };

/** The port to etcd for reads of single keys and for writes. `lib/etcd` implements it. */
export interface KeyValueStore {
  /**
   * Linearizable. With `revision`, reads the key at that revision.
   * @throws CompactedError, FutureRevisionError if etcd does not hold that revision
   */
  get(
    rawKey: string,
    options?: { readonly revision?: number },
  ): Promise<{ readonly record: KeyRecord | undefined; readonly revision: number }>;
  /**
   * Atomic. Sent once, never retried; without operations it is a read, which is repeated if its answer is lost.
   * @throws UnknownOutcomeError if the answer was lost
   * @throws LeaseNotFoundError if one of its leases no longer exists
   * @throws WriteError if it exceeds etcd's limits (1.5 MiB, 128 operations), or etcd refused it
   */
  commit(transaction: Transaction): Promise<TransactionResult>;
}
