import type { FenceRegistry } from '../backend/fence.js';
import { KeyRange } from '../backend/key-range.js';
import { keyBytesOf, type KeyRecord } from '../backend/key-record.js';
import type { Condition, KeyValueStore } from '../backend/key-value-store.js';
import type { InstanceLog } from '../etcd-trigger.log.js';
import { settledOrAborted } from '../timing/abortable.js';
import { withAnySignal } from '../timing/any-signal.js';
import { BACKOFF, quietPause } from '../timing/backoff.js';
import { Deferred } from '../timing/deferred.js';
import { onAbort } from '../timing/on-abort.js';
import type { SharedRanges } from '../watch/sharing/shared-ranges.js';
import { Claim } from './claim.js';
import { RELEASE_LIMIT_MS } from './participant.js';
import { FollowedRange, type FollowedRecord } from './followed-range.js';
import type { LeaseKeeper } from './lease-keeper.js';
import { isRefusal } from './refusal.js';

/** The kinds of what an instance can own. */
export type ClaimKind = 'election' | 'cron' | 'lock' | 'group';

/** Observes claims for metrics. */
export interface ClaimObserver {
  /** A claim was lost before it was given up. */
  claimLost(kind: ClaimKind): void;
  /** A handler group has parked an event. */
  eventParked(group: string): void;
}

/** The parts of a cluster that all participants of its coordination use. */
export interface CoordinationContext {
  readonly keeper: LeaseKeeper;
  readonly keyValue: KeyValueStore;
  readonly ranges: SharedRanges;
  readonly fences: FenceRegistry;
  readonly log: InstanceLog;
  readonly observer: ClaimObserver | undefined;
}

export interface ClaimKeeperOptions {
  readonly kind: ClaimKind;
  /** The name in fences, messages and logs. */
  readonly name: string;
  readonly rawKey: string;
  readonly value: () => Buffer;
  /** Further conditions of the transaction that creates the key. */
  readonly conditions?: () => readonly Condition[];
  /**
   * Milliseconds to wait before trying to claim the key, while it is free. Spreads the attempts of many instances: each
   * failed attempt costs etcd a raft proposal. `previous`: the last owner's record, if one was seen.
   */
  readonly delayMs: (previous: FollowedRecord | undefined) => number;
  /** While this returns a promise, the key is not claimed. Asked again when it has settled. */
  readonly hold?: () => Promise<unknown> | undefined;
  /**
   * Called with each claim. The claim is released when the promise has settled, so it must not settle before the claim
   * is to be given up, nor before everything that runs under the claim has ended. Must not reject.
   */
  readonly onClaimed: (claim: Claim) => Promise<void>;
}

/**
 * Follows one owner key, claims it whenever it is free, and claims it again after a loss, until it is stopped. The key's
 * own watch reports within milliseconds that a claim was deleted or replaced.
 */
export class ClaimKeeper {
  readonly #context: CoordinationContext;
  readonly #options: ClaimKeeperOptions;
  readonly #key: FollowedRange;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #claim: Claim | undefined;
  #release = new Deferred();
  /** Aborts when a release is no longer waited for. */
  readonly #releaseLimit = new AbortController();
  #previous: FollowedRecord | undefined;
  #isDraining = false;
  #problem: string | undefined;

  constructor(context: CoordinationContext, options: ClaimKeeperOptions) {
    this.#context = context;
    this.#options = options;
    this.#key = new FollowedRange(context.ranges, KeyRange.of({ key: keyBytesOf(options.rawKey) }));
    this.#key.onChange(() => {
      this.#compare();
    });
  }

  /** The claim of this process, until it has been released. */
  get claim(): Claim | undefined {
    return this.#claim;
  }

  /** The reason why etcd refuses the claim, as one sentence. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** See `Participant.busyKeys`. */
  get busyKeys(): readonly string[] {
    return this.#claim && !this.#claim.isReleased ? [this.#claim.rawKey] : [];
  }

  /** The owner of the key as last seen, which may be this process. */
  get owner(): FollowedRecord | undefined {
    return this.#key.records.get(this.#options.rawKey);
  }

  /** Calls the listener after each change of the owner key. Returns a function that removes it. */
  onChange(listener: () => void): () => void {
    return this.#key.onChange(listener);
  }

  /** Resolves when the condition is true. It is checked after each change of the owner key. */
  until(isMet: () => boolean, signal: AbortSignal): Promise<void> {
    return this.#key.until(isMet, signal);
  }

  start(): void {
    this.#running ??= this.#run(this.#stop.signal);
  }

  /** Claims nothing any more. A present claim stays, with its signal not aborted. */
  stop(): void {
    this.#stop.abort();
  }

  /** Claims nothing any more, and aborts the signal of a present claim. Resolves when that has been released. */
  async drain(): Promise<void> {
    this.stop();
    this.#isDraining = true;
    this.#claim?.abort();
    setTimeout(() => {
      this.#releaseLimit.abort();
    }, RELEASE_LIMIT_MS).unref();
    // Without a claim there is nothing but a request to wait for, and its answer changes nothing any more.
    await (this.#claim ? this.#running : settledOrAborted(this.#running, this.#releaseLimit.signal));
  }

  /** Resolves when the claim has been released. */
  whenReleased(claim: Claim): Promise<void> {
    return this.#claim === claim ? this.#release.promise : Promise.resolve();
  }

  /** Ends the watch of the key. */
  close(): void {
    this.stop();
    this.#key.close();
  }

  async #run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      try {
        const claim = await this.#next(signal);
        failures = 0;
        this.#problem = undefined;
        if (claim) await this.#own(claim);
      } catch (error) {
        await this.#pauseAfter(error, failures, signal);
        failures += 1;
      }
    }
  }

  async #pauseAfter(error: unknown, failures: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const isRefused = isRefusal(error);
    if (isRefused) {
      this.#problem = `"${this.#options.name}" cannot be claimed: ${error.message}`;
      if (failures === 0) this.#context.log.warn(`${this.#problem}; retrying`);
    }
    await quietPause(isRefused && failures > 2 ? BACKOFF.refused() : BACKOFF.soon(failures), signal);
  }

  /** Waits until the key is free, and tries to claim it once. */
  async #next(signal: AbortSignal): Promise<Claim | undefined> {
    await this.#key.until(() => this.#isFree, signal);
    const hold = signal.aborted ? undefined : this.#options.hold?.();
    if (hold) {
      await hold;
      return undefined;
    }
    if (signal.aborted || !(await this.#isStillFree(signal))) return undefined;
    const { keeper, keyValue, fences } = this.#context;
    const { name, rawKey, value, conditions } = this.#options;
    const lease = await keeper.lease(signal);
    const request = { rawKey, value: value(), conditions: conditions?.() ?? [], onLost: () => this.#claim?.lose() };
    const outcome = await keeper.create(lease, request, signal);
    if (outcome.created) {
      const { createRevision } = outcome;
      return new Claim({ name, rawKey, createRevision, lease, keeper, keyValue, fences });
    }
    await this.#whenSeen(outcome.current[0], signal);
    return undefined;
  }

  async #own(claim: Claim): Promise<void> {
    this.#claim = claim;
    this.#release = new Deferred();
    onAbort(claim.fence.signal, () => {
      if (claim.isLost && !this.#stop.signal.aborted) this.#context.observer?.claimLost(this.#options.kind);
    });
    if (this.#isDraining) claim.abort();
    if (this.#key.revision > claim.fence.token) this.#compare();
    try {
      await this.#options.onClaimed(claim);
    } finally {
      // At shutdown, a key whose deletion is not answered in time goes with the lease.
      await settledOrAborted(claim.release(), this.#releaseLimit.signal);
      this.#claim = undefined;
      this.#release.resolve();
    }
  }

  get #isFree(): boolean {
    return this.#key.isListed && this.owner === undefined;
  }

  /** Spreads the attempts. Reading the key costs no raft proposal, a failed attempt costs one. */
  async #isStillFree(signal: AbortSignal): Promise<boolean> {
    const delayMs = this.#options.delayMs(this.#previous);
    if (delayMs <= 0) return true;
    await quietPause(delayMs, signal);
    if (signal.aborted || !this.#isFree) return false;
    const { record } = await this.#context.keyValue.get(this.#options.rawKey);
    if (record) await this.#whenSeen(record, signal);
    return record === undefined;
  }

  /** Waits for the watch to report the owner that an answer has shown, or for another change. */
  async #whenSeen(record: KeyRecord | undefined, signal: AbortSignal): Promise<void> {
    const limit = AbortSignal.timeout(SEEN_LIMIT_MS);
    const seen = record?.revision ?? Infinity;
    await withAnySignal([signal, limit], (ended) => this.#key.until(() => this.#key.revision >= seen, ended));
  }

  #compare(): void {
    const { owner: record } = this;
    const { revision } = this.#key;
    if (record) this.#previous = record;
    const claim = this.#claim;
    if (!claim || claim.isLost || claim.matches(record)) return;
    // A change that is older than the claim, or of another history after a restore: only etcd knows.
    if (revision > claim.fence.token) claim.lose();
    else if (revision > 0) claim.fence.verify().catch(() => undefined);
  }
}

/** After this, the key counts as free again even though another owner was seen: the watch may be interrupted. */
const SEEN_LIMIT_MS = 1_000;
