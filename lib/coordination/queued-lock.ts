import type { Fence } from '../backend/fence.js';
import { KeyRange } from '../backend/key-range.js';
import { keyBytesOf } from '../backend/key-record.js';
import { ConnectionError, UnknownOutcomeError } from '../etcd-trigger.errors.js';
import { withAnySignal } from '../timing/any-signal.js';
import { BACKOFF, quietPause } from '../timing/backoff.js';
import { Deferred } from '../timing/deferred.js';
import { within } from '../timing/time-limit.js';
import type { Claim } from './claim.js';
import type { CoordinationContext } from './claim-keeper.js';
import type { ClusterLock } from './cluster-lock.js';
import { FollowedRange } from './followed-range.js';
import { RELEASE_LIMIT_MS } from './participant.js';

/** Observes a lock while it is held. */
export interface HeldLockObserver {
  /** Calls the function that runs under the lock. */
  run<T>(call: () => T): T;
  /** The lock was released. */
  released(isLost: boolean): void;
}

/**
 * A key in the queue of a lock. The key with the lowest create revision owns the lock: later keys have higher ones, so
 * the owner stays the first one as long as its key exists.
 */
export class QueuedLock implements ClusterLock {
  readonly #context: CoordinationContext;
  readonly #claim: Claim;
  /** The prefix of the queue. */
  readonly #prefix: string;
  readonly #released = new Deferred();
  #queue: FollowedRange | undefined;
  #observer: HeldLockObserver | undefined;

  constructor(context: CoordinationContext, claim: Claim, prefix: string) {
    this.#context = context;
    this.#claim = claim;
    this.#prefix = prefix;
  }

  get fence(): Fence {
    return this.#claim.fence;
  }

  get rawKey(): string {
    return this.#claim.rawKey;
  }

  get isLost(): boolean {
    return this.#claim.isLost;
  }

  /** Resolves when `release` has resolved. */
  get whenReleased(): Promise<void> {
    return this.#released.promise;
  }

  /**
   * Waits until all earlier keys are gone, and etcd has confirmed that in one transaction with the key. Resolves to
   * false if the key is lost meanwhile.
   * @throws the reason of an abort
   * @throws EtcdTriggerError if etcd refuses the request
   */
  async whenFirst(signal: AbortSignal): Promise<boolean> {
    for (let attempt = 0; !this.isLost; attempt += 1) {
      if (attempt > 1) await quietPause(BACKOFF.soon(attempt), signal);
      signal.throwIfAborted();
      if (await this.#isFirst()) return !this.isLost;
      await withAnySignal([signal, this.fence.signal], (ended) => this.#follow().until(() => this.#seemsFirst, ended));
    }
    return false;
  }

  /** Reports a loss of the key within milliseconds from now on. */
  hold(): void {
    this.#follow();
  }

  /** `observer` observes the lock until it is released. */
  observe(observer: HeldLockObserver): void {
    this.#observer = observer;
  }

  /** Calls the function that runs under the lock. */
  run<T>(call: () => T): T {
    return this.#observer ? this.#observer.run(call) : call();
  }

  /** etcd has answered that the key no longer exists. */
  lose(): void {
    this.#claim.lose();
  }

  /** Aborts the signal of the fence. `held` stays true until `release`. */
  abort(): void {
    this.#claim.abort();
  }

  async release(): Promise<void> {
    if (!this.#claim.isReleased) {
      this.#observer?.released(this.isLost);
      this.close();
      await within(this.#claim.release(), RELEASE_LIMIT_MS);
      this.#released.resolve();
    }
    await this.#released.promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  /** Ends the watch of the queue. */
  close(): void {
    this.#queue?.close();
  }

  /** Changes nothing, so it is no raft proposal. */
  async #isFirst(): Promise<boolean> {
    const claim = this.#claim;
    try {
      const result = await this.#context.keyValue.commit({
        what: `verify the lock "${this.fence.name}"`,
        conditions: [claim.condition, { rawKey: this.#prefix, noneCreatedBefore: this.fence.token }],
        operations: [],
      });
      if (!result.applied && !claim.matches(result.current[0])) this.lose();
      return result.applied;
    } catch (error) {
      if (error instanceof ConnectionError || error instanceof UnknownOutcomeError) return false;
      throw error;
    }
  }

  #follow(): FollowedRange {
    if (!this.#queue) {
      this.#queue = new FollowedRange(this.#context.ranges, KeyRange.of({ prefix: keyBytesOf(this.#prefix) }));
      this.#queue.onChange(() => {
        this.#compare();
      });
    }
    return this.#queue;
  }

  /** The watch may be behind or interrupted: only `#isFirst` decides. */
  get #seemsFirst(): boolean {
    const records = this.#queue?.records;
    if (!records?.has(this.rawKey)) return false;
    return [...records.values()].every(({ createRevision }) => createRevision >= this.fence.token);
  }

  #compare(): void {
    const claim = this.#claim;
    const queue = this.#queue;
    if (!queue?.isListed || claim.isLost || claim.isReleased || claim.matches(queue.records.get(this.rawKey))) return;
    // A change that is older than the key, or of another history after a restore: only etcd knows.
    if (queue.revision > this.fence.token) claim.lose();
    else this.fence.verify().catch(() => undefined);
  }
}
