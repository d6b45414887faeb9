import type { Fence } from '../backend/fence.js';
import type { Condition } from '../backend/key-value-store.js';
import type { LeaseClock } from '../backend/lease-clock.js';
import { ConnectionClosedError, ConnectionTimeoutError, LockTimeoutError } from '../etcd-trigger.errors.js';
import { checkKnown, checkMilliseconds, type OptionNames } from '../option-checks.js';
import { abortable } from '../timing/abortable.js';
import { BACKOFF, quietPause } from '../timing/backoff.js';
import { keepingAlive } from '../timing/keeping-alive.js';
import { onAbort } from '../timing/on-abort.js';
import { Claim } from './claim.js';
import type { CoordinationContext } from './claim-keeper.js';
import type { LockOptions } from './cluster-lock.js';
import { checkName, type CoordinationKeys } from './coordination-keys.js';
import type { InstanceIdentity } from './members.js';
import type { Participant } from './participant.js';
import { type HeldLockObserver, QueuedLock } from './queued-lock.js';

/** Observes locks for metrics and traces. */
export interface LockObserver {
  /** Runs a wait for a lock, which resolves to `undefined` if the lock is not free (`tryAcquire` only). */
  lockWait<T>(lock: string, wait: () => Promise<T>): Promise<T>;
  /** A lock was acquired. */
  lockAcquired(lock: string, token: number): HeldLockObserver;
}

/** A lock of this process. */
export interface OwnLock {
  readonly name: string;
  readonly state: 'waiting' | 'held' | 'lost';
  /** `undefined` while it waits. */
  readonly fence: Fence | undefined;
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
  /** The names of the locks that are waited for. */
  readonly #waits = new Map<AbortController, string>();
  readonly #acquired = new Set<QueuedLock>();
  #keyCount = 0;
  #isStopped = false;

  constructor(context: CoordinationContext, options: LocksOptions) {
    const { id, pod } = options.instance;
    this.#context = context;
    this.#options = options;
    this.#value = Buffer.from(JSON.stringify({ v: 1, instance: id, pod }));
  }

  /** All locks that are waited for or acquired, until they are released. */
  get all(): readonly OwnLock[] {
    const acquired = Array.from(this.#acquired, ({ fence, isLost }): OwnLock => {
      return { name: fence.name, state: isLost ? 'lost' : 'held', fence };
    });
    const waiting = Array.from(this.#waits.values(), (name): OwnLock => {
      return { name, state: 'waiting', fence: undefined };
    });
    return [...acquired, ...waiting];
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
    return this.#wait(name, (waiting) => this.#acquire(name, waiting), limit, signal);
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
    return this.#wait(name, (waiting) => this.#enqueue(name, waiting, [isFree]), { ms, error });
  }

  start(): void {
    // Locks can be acquired before the application has started.
  }

  stop(): void {
    this.#isStopped = true;
    for (const wait of this.#waits.keys()) wait.abort(closed());
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
    name: string,
    attempt: (signal: AbortSignal) => Promise<T>,
    limit: WaitLimit | false,
    signal?: AbortSignal,
  ): Promise<T> {
    if (this.#isStopped) throw closed();
    signal?.throwIfAborted();
    const { observer } = this.#options;
    const wait = (): Promise<T> => keepingAlive(this.#waitWithin(name, attempt, limit, signal));
    if (!observer) return wait();
    const lock = await observer.lockWait(name, wait);
    lock?.observe(observer.lockAcquired(name, lock.fence.token));
    return lock;
  }

  async #waitWithin<T extends QueuedLock | undefined>(
    name: string,
    attempt: (signal: AbortSignal) => Promise<T>,
    limit: WaitLimit | false,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const { clock } = this.#options;
    const wait = new AbortController();
    const cancelLimit = limit
      ? clock.after(limit.ms, () => {
          wait.abort(limit.error());
        })
      : undefined;
    const stopListening = onAbort(signal, () => {
      wait.abort(signal?.reason);
    });
    this.#waits.set(wait, name);
    const attempted = attempt(wait.signal);
    try {
      const lock = await abortable(attempted, wait.signal);
      wait.signal.throwIfAborted();
      if (lock) this.#keep(lock);
      return lock;
    } catch (error) {
      attempted.then((late) => late?.release()).catch(() => undefined);
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
        this.#context.observer?.claimLost('lock');
      },
      { once: true },
    );
    lock.hold();
  }
}

interface WaitLimit {
  readonly ms: number;
  readonly error: () => Error;
}

const closed = (): ConnectionClosedError => new ConnectionClosedError('the module is closed: no lock can be acquired');
