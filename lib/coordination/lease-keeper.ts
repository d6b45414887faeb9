import { setMaxListeners } from 'node:events';
import type { LeaseClock } from '../backend/lease-clock.js';
import type { KeyValueStore } from '../backend/key-value-store.js';
import type { Lease, LeaseStore } from '../backend/lease-store.js';
import { AuthenticationError, ConnectionError, EtcdTriggerError } from '../etcd-trigger.errors.js';
import type { InstanceLog } from '../etcd-trigger.log.js';
import { abortable } from '../timing/abortable.js';
import { withAnySignal } from '../timing/any-signal.js';
import { BACKOFF, quietPause } from '../timing/backoff.js';
import { within } from '../timing/time-limit.js';
import { LeaseRenewal } from './lease-renewal.js';
import { type LeasedKeyOutcome, type LeasedKeyRequest, LeasedKeys } from './leased-keys.js';
import { type Instant, instantOf, ProcessLease } from './process-lease.js';

export interface LeaseKeeperOptions {
  readonly leases: LeaseStore;
  readonly keyValue: KeyValueStore;
  readonly clock: LeaseClock;
  readonly log: InstanceLog;
  readonly ttlSeconds: number;
  /** Returns the raw key of a lease's write barrier. */
  readonly barrierKey: (lease: string) => string;
  /** `undefined`: a fifth of the granted time to live. */
  readonly marginMs: number | undefined;
}

/**
 * `unused`: nothing in this process needs a lease. `missing`: etcd has not granted a lease, or has not confirmed it
 * before its deadline.
 */
export type LeaseState = 'unused' | 'valid' | 'missing';

/**
 * Owns the one lease of this process in a cluster. Grants it on first use, renews it, reports its loss, and grants
 * another one when a key is needed after a loss. Every key under the lease is created, updated and removed here, so that
 * none of them stays without an owner: the outcome of a write whose answer was lost is settled, and each renewal
 * compares the keys of the lease with those that should be there.
 */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #keys: LeasedKeys;
  readonly #closing = new AbortController();
  #current: ProcessLease | undefined;
  #renewal: LeaseRenewal | undefined;
  #granting: Promise<ProcessLease> | undefined;
  #problem: string | undefined;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    setMaxListeners(0, this.#closing.signal);
    const onRevoked = (): void => {
      this.#problem = undefined;
    };
    this.#keys = new LeasedKeys({ ...options, onRevoked }, this.#closing.signal);
  }

  /** The lease, if one is granted and not lost. */
  get current(): ProcessLease | undefined {
    return this.#current;
  }

  get state(): LeaseState {
    if (this.#current) return 'valid';
    return this.#granting || this.#problem !== undefined ? 'missing' : 'unused';
  }

  /** One sentence for the reason why there is no lease, and for each key that cannot be removed. */
  get problems(): readonly string[] {
    const problem = this.#current || this.#closing.signal.aborted ? undefined : this.#problem;
    return [...(problem === undefined ? [] : [problem]), ...this.#keys.problems];
  }

  /**
   * Resolves to a lease that is not lost when etcd grants one, however long that takes.
   * @throws the reason of an abort
   */
  async lease(signal: AbortSignal): Promise<ProcessLease> {
    signal.throwIfAborted();
    if (this.#current) return this.#current;
    this.#granting ??= this.#grant().finally(() => {
      this.#granting = undefined;
    });
    return abortable(this.#granting, signal);
  }

  /**
   * Creates a key under the lease if it is absent. Retries while the outcome is unknown, which is safe: only this
   * process has the lease. Waits for the removal of an earlier key of the same name.
   *
   * @throws the reason of an abort, or of the loss of the lease; then the key is removed if it exists
   * @throws EtcdTriggerError if etcd refuses the write
   */
  create(lease: ProcessLease, request: LeasedKeyRequest, signal: AbortSignal): Promise<LeasedKeyOutcome> {
    return withAnySignal([signal, lease.signal, this.#closing.signal], (any) => this.#keys.create(lease, request, any));
  }

  /**
   * Replaces the value of a key that `create` has created. Calls for one key must not overlap.
   * @returns false if the key no longer exists under the lease
   * @throws as `create`; the old or the new value remains
   */
  update(lease: ProcessLease, rawKey: string, value: Buffer, signal: AbortSignal): Promise<boolean> {
    return withAnySignal([signal, lease.signal, this.#closing.signal], (any) =>
      this.#keys.update(lease, rawKey, value, any),
    );
  }

  /**
   * Deletes a key if it still has the lease. Resolves when etcd has answered, however long that takes, or when the
   * keeper closes.
   */
  remove(lease: ProcessLease, rawKey: string): Promise<void> {
    return this.#keys.remove(lease, rawKey);
  }

  /**
   * Ends the lease within the limit. Revokes it, which deletes all of its keys at once. Keys in `kept` belong to calls
   * that are still running: then the other keys are deleted one by one, and the lease is left to expire.
   */
  async close({ kept, withinMs }: { readonly kept: readonly string[]; readonly withinMs: number }): Promise<void> {
    this.#renewal?.stop();
    const lease = this.#current;
    if (lease) {
      const end = kept.length === 0 ? this.#keys.revoke(lease.id) : this.#keys.removeAllBut(kept, lease);
      await within(end, withinMs);
    }
    this.stop();
  }

  /** Ends everything locally and without requests. Idempotent. */
  stop(): void {
    this.#renewal?.stop();
    this.#closing.abort();
    this.#current?.lose('closed');
  }

  /** Retries until etcd grants a lease. A grant whose answer is lost leaves an empty lease that expires. */
  async #grant(): Promise<ProcessLease> {
    const { leases, clock, ttlSeconds, log } = this.#options;
    const { signal } = this.#closing;
    for (let attempt = 0; ; attempt += 1) {
      signal.throwIfAborted();
      const sent = instantOf(clock);
      try {
        const granted = await leases.grant(ttlSeconds);
        // After the end, nothing renews it.
        if (signal.aborted) continue;
        const lease = this.#begin(granted, sent);
        if (lease.loss === undefined) return lease;
        this.#keys.revokeIfUnused(lease);
      } catch (error) {
        this.#problem ??= `etcd has not granted a lease to this instance: ${describe(error)}`;
        if (attempt === 0 && !(error instanceof ConnectionError)) {
          log.warn(`the lease of this instance cannot be granted: ${describe(error)}; retrying`);
        }
        const refused = error instanceof AuthenticationError;
        await quietPause(refused ? BACKOFF.refused() : BACKOFF.soon(attempt), signal);
      }
    }
  }

  #begin(granted: Lease, sent: Instant): ProcessLease {
    const { clock, marginMs, log } = this.#options;
    const lease = new ProcessLease(granted, sent, {
      clock,
      marginMs: (ttlMs) => marginMs ?? ttlMs / 5,
      onSuspicion: () => {
        renewal.renewNow();
      },
      onLoss: (loss) => {
        renewal.stop();
        if (this.#current === lease) this.#current = undefined;
        if (loss === 'closed') return;
        if (loss === 'expired') this.#problem = 'etcd has not confirmed the lease of this instance before its deadline';
        log.warn(`the lease of this instance is lost (${loss}); everything that this instance owned is given up`);
        this.#keys.revokeIfUnused(lease);
      },
    });
    const renewal = new LeaseRenewal(lease, { ...this.#options, onRenewed: () => this.#keys.compare(lease) });
    if (lease.loss === undefined) {
      this.#current = lease;
      this.#problem = undefined;
      this.#renewal = renewal;
      void renewal.run();
    }
    return lease;
  }
}

const describe = (error: unknown): string =>
  error instanceof EtcdTriggerError ? error.message : 'it failed unexpectedly';
