import type { KeyRecord } from './key-record.js';

/** What must hold for a transaction: the key was last written at this revision; 0: it is absent. */
export interface Condition {
  readonly id: string;
  readonly revision: number;
}

export type Operation =
  | { readonly type: 'put'; readonly id: string; readonly value: Buffer; readonly lease?: string | undefined }
  | { readonly type: 'delete'; readonly id: string };

export interface Transaction {
  /** For messages, as `put "/app/a"`. */
  readonly what: string;
  /** The key to name in errors, where it is one. */
  readonly key?: string | undefined;
  readonly conditions?: readonly Condition[];
  readonly operations: readonly Operation[];
}

export type TransactionResult =
  /** `deleted`: how many keys the deletes removed. */
  | { readonly applied: true; readonly revision: number; readonly deleted: number }
  /** `current`: what the keys of the conditions hold instead. */
  | { readonly applied: false; readonly revision: number; readonly current: readonly (KeyRecord | undefined)[] };

/** The port to etcd of everything that reads single keys or writes; `lib/etcd` implements it. */
export interface KeyValueStore {
  /** Linearizable. */
  get(id: string): Promise<{ readonly record: KeyRecord | undefined; readonly revision: number }>;
  /**
   * All or nothing, sent once.
   * @throws UnknownOutcomeError when the answer was lost
   * @throws WriteError when it is larger than etcd takes (1.5 MiB, 128 operations), or was refused
   */
  commit(transaction: Transaction): Promise<TransactionResult>;
}
