import type { KeyRecord } from './key-record.js';

/** What must hold for a transaction: the key was last written at this revision; 0: it is absent. */
export interface Condition {
  readonly rawKey: string;
  readonly revision: number;
}

export type Operation =
  | { readonly type: 'put'; readonly rawKey: string; readonly value: Buffer; readonly lease?: string | undefined }
  | { readonly type: 'delete'; readonly rawKey: string; readonly lease?: undefined };

export interface Transaction {
  /** For messages, as `put "/app/a"`. */
  readonly what: string;
  /** The key to name in errors, where it is one. */
  readonly key?: string | undefined;
  readonly conditions?: readonly Condition[];
  readonly operations: readonly Operation[];
}

export type TransactionResult =
  /** `deleted`: the ids of the keys that were there and that the deletes removed. */
  | { readonly applied: true; readonly revision: number; readonly deleted: readonly string[] }
  /** `current`: what the keys of the conditions hold instead, in their order. */
  | { readonly applied: false; readonly revision: number; readonly current: readonly (KeyRecord | undefined)[] };

/** The port to etcd of everything that reads single keys or writes; `lib/etcd` implements it. */
export interface KeyValueStore {
  /**
   * Linearizable; with `revision`, what the key held then.
   * @throws CompactedError, FutureRevisionError when etcd does not hold that revision
   */
  get(
    rawKey: string,
    options?: { readonly revision?: number },
  ): Promise<{ readonly record: KeyRecord | undefined; readonly revision: number }>;
  /**
   * All or nothing, sent once.
   * @throws UnknownOutcomeError when the answer was lost
   * @throws LeaseNotFoundError when a lease that it names no longer exists
   * @throws WriteError when it is larger than etcd takes (1.5 MiB, 128 operations), or was refused
   */
  commit(transaction: Transaction): Promise<TransactionResult>;
}
