import type { Fence } from '../backend/fence.js';
import { InvalidOptionsError, LockLostError } from '../etcd-trigger.errors.js';
import { isEndedBy } from './aborted.js';
import type { ClusterLock, LockOptions } from './cluster-lock.js';
import { checkName } from './coordination-keys.js';
import { coordinationMissing } from './coordination-options.js';
import type { Locks } from './locks.js';

/**
 * Locks among the instances of the application: at most one caller holds a lock at a time. First come, first served. A
 * lock is renewed while it is held, however long that takes. It is not reentrant. Requires the option `coordination`.
 *
 * Names are 1 to 128 of the characters A-Z, a-z, 0-9, ".", "_", ":" and "-".
 */
export class ClusterLocks {
  readonly #locks: Locks | undefined;
  readonly #cluster: string;

  /** @internal */
  constructor(locks: Locks | undefined, cluster: string) {
    this.#locks = locks;
    this.#cluster = cluster;
  }

  /**
   * Calls `run` while this instance holds the lock, and releases it when the call has ended. `run` must end when the
   * signal of its fence aborts.
   *
   * @throws LockLostError if the lock was lost before `run` had ended. An error of `run` itself is passed on, except for
   * the reason of the signal and AbortErrors after a loss
   * @throws InvalidOptionsError if `run` is no function
   * @throws as `acquire`
   */
  async run<T>(name: string, run: (fence: Fence) => T | Promise<T>, options?: LockOptions): Promise<T> {
    if (typeof run !== 'function') {
      checkName('the name of a lock', name);
      throw new InvalidOptionsError(`the lock "${name}": pass the function to call second, and the options third`);
    }
    const lock = await this.#required().acquire(name, options);
    const { fence } = lock;
    try {
      const result = await lock.run(() => run(fence));
      if (!(await isOwned(fence))) throw lockLost(fence);
      return result;
    } catch (error) {
      if (!fence.held && isEndedBy(fence.signal, error)) throw lockLost(fence, error);
      throw error;
    } finally {
      await lock.release();
    }
  }

  /**
   * Waits for the lock. The caller must release it.
   *
   * @throws LockTimeoutError if the lock is not acquired within `waitMs`
   * @throws the reason of `signal` if that aborts
   * @throws ConnectionClosedError at shutdown
   * @throws PermissionDeniedError, WriteError if etcd refuses the write
   * @throws InvalidOptionsError for an invalid name or `waitMs`, and without the option `coordination`
   */
  async acquire(name: string, options?: LockOptions): Promise<ClusterLock> {
    return this.#required().acquire(name, options);
  }

  /**
   * Acquires the lock if no instance holds it or waits for it; else resolves to `undefined`.
   *
   * @throws ConnectionTimeoutError if etcd does not answer within `requestTimeoutMs`
   * @throws as `acquire`
   */
  async tryAcquire(name: string): Promise<ClusterLock | undefined> {
    return this.#required().tryAcquire(name);
  }

  #required(): Locks {
    if (this.#locks) return this.#locks;
    throw coordinationMissing('ClusterLocks', this.#cluster);
  }
}

/** After a suspension of the machine, or a step of its clock, only etcd knows. Without an answer, the lock is lost. */
async function isOwned({ held, signal, verify }: Fence): Promise<boolean> {
  return held || (!signal.aborted && (await verify().catch(() => false)));
}

const lockLost = ({ name, token }: Fence, cause?: unknown): LockLostError =>
  new LockLostError(
    `the lock "${name}" (token ${token}) was lost before the function had ended; another instance may have acquired it`,
    { cause },
  );
