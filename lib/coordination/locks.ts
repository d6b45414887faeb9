import type { Condition } from '../backend/key-value-store.js';
import type { LeaseClock } from '../backend/lease-clock.js';
import { ConnectionClosedError, ConnectionTimeoutError, LockTimeoutError } from '../etcd-trigger.errors.js';
import { checkKnown, checkMilliseconds, type OptionNames } from '../option-checks.js';
import { abortable } from '../timing/abortable.js';
import { BACKOFF, quietPause } from '../timing/backoff.js';
import { onAbort } from '../timing/on-abort.js';
import { Claim } from './claim.js';
import type { CoordinationContext } from './claim-keeper.js';
import type { LockOptions } from './cluster-lock.js';
import { checkName, type CoordinationKeys } from './coordination-keys.js';
import type { InstanceIdentity } from './members.js';
import type { Participant } from './participant.js';
import { QueuedLock } from './queued-lock.js';

/** Observes locks for metrics. */
export interface LockObserver {
  /** A wait for a lock has ended: with the lock, without one (`tryAcquire` only), or with an error. */
  lockWaited(outcome: 'acquired' | 'busy' | 'failed', seconds: number, error?: unknown): void;
  /** A lock was lost before it was released. */
  lockLost(): void;
}

export interface LocksOptions {
  readonly keys: CoordinationKeys;
  readonly instance: InstanceIdentity;
  readonly clock: LeaseClock;
  readonly observer: LockObserver | undefined;
  readonly requestTimeoutMs: number;
}

const LOCK_OPTIONS: OptionNames<LockOptions> = { waitMs: true, signal: true };

/** All locks of this process in one cluster, acquired or waited for. */
export class Locks implements Participant {
  readonly #context: CoordinationContext;
  readonly #options: LocksOptions;
  readonly #value: Buffer;
  readonly #waits = new Set<AbortController>();
  readonly #acquired = new Set<QueuedLock>();
  #keyCount = 0;
  #isStopped = false;

  constructor(context: CoordinationContext, options: LocksOptions) {
    const { id, pod } = options.instance;
    this.#context = context;
    this.#options = options;
    this.#value = Buffer.from(JSON.stringify({ v: 1, instance: id, pod }));
  }

  /** Number of the locks that are acquired, and neither lost nor released. */
  get heldCount(): number {
    return this.busyKeys.length;
  }

  /**
   * Waits for the lock, first come, first served.
   * @throws as `ClusterLocks.acquire`
   */
  acquire(name: string, options: LockOptions = {}): Promise<QueuedLock> {
    checkName('the name of a lock', name);
    checkKnown(options, LOCK_OPTIONS, { owner: ` of the lock "${name}"` });
    const { waitMs, signal } = options;
    checkMilliseconds(`the lock "${name}": waitMs`, waitMs, 1);
    const limit = waitMs !== undefined && {
      ms: waitMs,
      error: () => new LockTimeoutError(`the lock "${name}" was not acquired within ${waitMs} ms`),
    };
    return this.#wait((waiting) => this.#acquire(name, waiting), limit, signal);
  }

  /**
   * Acquires the lock if nobody has it or waits for it.
   * @throws as `ClusterLocks.tryAcquire`
   */
  tryAcquire(name: string): Promise<QueuedLock | undefined> {
    checkName('the name of a lock', name);
    const { requestTimeoutMs: ms } = this.#options;
    const error = (): ConnectionTimeoutError =>
      new ConnectionTimeoutError(`the lock "${name}" was not acquired: etcd did not answer within ${ms} ms`);
    const isFree: Condition = { rawKey: this.#options.keys.lock(name), noneCreatedBefore: 0 };
    return this.#wait((waiting) => this.#enqueue(name, waiting, [isFree]), { ms, error });
  }

  start(): void {
    // Locks can be acquired before the application has started.
  }

  stop(): void {
    this.#isStopped = true;
    for (const wait of this.#waits) wait.abort(closed());
  }

  async drain(): Promise<void> {
    this.stop();
    for (const lock of this.#acquired) lock.abort();
    await Promise.all([...this.#acquired].map(({ whenReleased }) => whenReleased));
  }

  get busyKeys(): readonly string[] {
    return [...this.#acquired].filter(({ isLost }) => !isLost).map(({ rawKey }) => rawKey);
  }

  close(): void {
    this.stop();
    for (const lock of this.#acquired) lock.close();
  }

  /** Rejects at once at the end of the wait, even if etcd does not answer. The attempt undoes itself then. */
  async #wait<T extends QueuedLock | undefined>(
    attempt: (signal: AbortSignal) => Promise<T>,
    limit: false | { readonly ms: number; readonly error: () => Error },
    signal?: AbortSignal,
  ): Promise<T> {
    if (this.#isStopped) throw closed();
    signal?.throwIfAborted();
    const { clock, observer } = this.#options;
    const wait = new AbortController();
    const cancelLimit = limit
      ? clock.after(limit.ms, () => {
          wait.abort(limit.error());
        })
      : undefined;
    const stopListening = onAbort(signal, () => {
      wait.abort(signal?.reason);
    });
    this.#waits.add(wait);
    const startedAt = performance.now();
    const seconds = (): number => (performance.now() - startedAt) / 1_000;
    const attempted = attempt(wait.signal);
    try {
      const lock = await abortable(attempted, wait.signal);
      wait.signal.throwIfAborted();
      if (lock) this.#keep(lock);
      observer?.lockWaited(lock ? 'acquired' : 'busy', seconds());
      return lock;
    } catch (error) {
      attempted.then((late) => late?.release()).catch(() => undefined);
      observer?.lockWaited('failed', seconds(), error);
      throw error;
    } finally {
      this.#waits.delete(wait);
      cancelLimit?.();
      stopListening();
    }
  }

  async #acquire(name: string, signal: AbortSignal): Promise<QueuedLock> {
    for (let failures = 0; ; failures += 1) {
      const lock = await this.#enqueue(name, signal, []);
      try {
        if (await lock?.whenFirst(signal)) return lock as QueuedLock;
      } catch (error) {
        void lock?.release();
        throw error;
      }
      // The key was deleted, or its lease was lost: this instance waits again, as the last one.
      void lock?.release();
      await quietPause(BACKOFF.soon(failures), signal);
    }
  }

  /** Resolves to `undefined` if a condition is not met. Retries with another lease if the lease is lost. */
  async #enqueue(name: string, signal: AbortSignal, conditions: readonly Condition[]): Promise<QueuedLock | undefined> {
    const { keeper, keyValue, fences } = this.#context;
    const prefix = this.#options.keys.lock(name);
    for (let failures = 0; ; failures += 1) {
      const lease = await keeper.lease(signal);
      const rawKey = `${prefix}${lease.id}-${(this.#keyCount += 1)}`;
      let lock: QueuedLock | undefined;
      const onLost = (): void => lock?.lose();
      try {
        const outcome = await keeper.create(lease, { rawKey, value: this.#value, conditions, onLost }, signal);
        if (!outcome.created) return undefined;
        const { createRevision } = outcome;
        const claim = new Claim({ name, rawKey, createRevision, lease, keeper, keyValue, fences });
        return (lock = new QueuedLock(this.#context, claim, prefix));
      } catch (error) {
        if (signal.aborted || lease.loss === undefined) throw error;
        await quietPause(BACKOFF.soon(failures), signal);
      }
    }
  }

  #keep(lock: QueuedLock): void {
    const { fence } = lock;
    this.#acquired.add(lock);
    void lock.whenReleased.then(() => this.#acquired.delete(lock));
    fence.signal.addEventListener(
      'abort',
      () => {
        if (!lock.isLost) return;
        this.#context.log.warn(`the lock "${fence.name}" (token ${fence.token}) is lost`);
        this.#options.observer?.lockLost();
      },
      { once: true },
    );
    lock.hold();
  }
}

const closed = (): ConnectionClosedError => new ConnectionClosedError('the module is closed: no lock can be acquired');
