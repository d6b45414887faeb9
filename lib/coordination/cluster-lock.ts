import type { Fence } from '../backend/fence.js';

/** Options of a wait for a lock. */
export interface LockOptions {
  /**
   * Limit of the wait for the lock, in milliseconds, from 1. Includes the time in which etcd is unreachable.
   * @default no limit
   */
  readonly waitMs?: number;
  /** Ends the wait. A lock that is already acquired is not affected. */
  readonly signal?: AbortSignal;
}

/** A lock that this instance has acquired. `await using` releases it at the end of the block. */
export interface ClusterLock extends AsyncDisposable {
  /**
   * Its signal aborts when the lock is lost, and at shutdown. Use it as fence of every write that must not happen after
   * another instance has acquired the lock.
   */
  readonly fence: Fence;
  /**
   * Lets the next one in. To be called also after a loss. Resolves when etcd has answered, or after 2 s if it does not
   * answer; then the key is deleted as soon as etcd does. Idempotent.
   */
  release(): Promise<void>;
}
