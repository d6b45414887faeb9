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
  #key: FollowedRange | undefined;
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
    let awaited: string | undefined;
    let repeats = 0;
    while (!this.isLost) {
      signal.throwIfAborted();
      const { isFirst, predecessor } = await this.#place();
      if (isFirst) return !this.isLost;
      // The watch is behind, or etcd did not answer.
      if (predecessor === awaited) await quietPause(BACKOFF.soon((repeats += 1)), signal);
      else repeats = 0;
      awaited = predecessor;
      if (predecessor !== undefined) await this.#whenDeleted(predecessor, signal);
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

  /** Ends the watch of the key. */
  close(): void {
    this.#key?.close();
  }

  /**
   * Only this transaction decides that the key is the first one. It changes nothing, so it is no raft proposal.
   * Without an answer, neither is known.
   */
  async #place(): Promise<{ readonly isFirst: boolean; readonly predecessor: string | undefined }> {
    const claim = this.#claim;
    try {
      const result = await this.#context.keyValue.commit({
        what: `verify the lock "${this.fence.name}"`,
        conditions: [claim.condition, { rawKey: this.#prefix, noneCreatedBefore: this.fence.token }],
        operations: [],
      });
      if (result.applied) return { isFirst: true, predecessor: undefined };
      const [own, earlier] = result.current;
      if (!claim.matches(own)) this.lose();
      return { isFirst: false, predecessor: earlier?.rawKey };
    } catch (error) {
      if (!(error instanceof ConnectionError || error instanceof UnknownOutcomeError)) throw error;
      return { isFirst: false, predecessor: undefined };
    }
  }

  /** Waits for one key only: each release costs one event, however many wait. Resolves when the own key is lost, too. */
  async #whenDeleted(predecessor: string, signal: AbortSignal): Promise<void> {
    this.#follow();
    const key = this.#range(predecessor);
    try {
      await withAnySignal([signal, this.fence.signal], (ended) =>
        key.until(() => key.isListed && key.records.size === 0, ended),
      );
    } finally {
      key.close();
    }
  }

  #range(rawKey: string): FollowedRange {
    return new FollowedRange(this.#context.ranges, KeyRange.of({ key: keyBytesOf(rawKey) }));
  }

  #follow(): void {
    if (this.#key) return;
    this.#key = this.#range(this.rawKey);
    this.#key.onChange(() => {
      this.#compare();
    });
  }

  #compare(): void {
    const claim = this.#claim;
    const key = this.#key;
    if (!key?.isListed || claim.isLost || claim.isReleased || claim.matches(key.records.get(this.rawKey))) return;
    // A change that is older than the key, or of another history after a restore: only etcd knows.
    if (key.revision > this.fence.token) claim.lose();
    else this.fence.verify().catch(() => undefined);
  }
}
