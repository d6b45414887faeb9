import { type LeaseClock, pauseOn } from '../backend/lease-clock.js';
import type { LeaseStore } from '../backend/lease-store.js';
import { withAnySignal } from '../timing/any-signal.js';
import { BACKOFF, quietPause } from '../timing/backoff.js';
import { instantOf, type ProcessLease } from './process-lease.js';

export interface LeaseRenewalOptions {
  readonly leases: LeaseStore;
  readonly clock: LeaseClock;
  /** Called after a renewal, unless the last call has not ended. Must not reject. */
  readonly onRenewed: () => Promise<void>;
}

/** Renews one lease after every third of its time to live, until it is lost. */
export class LeaseRenewal {
  readonly #lease: ProcessLease;
  readonly #options: LeaseRenewalOptions;
  readonly #stop = new AbortController();
  #wait = new AbortController();
  #afterRenewal: Promise<void> | undefined;

  constructor(lease: ProcessLease, options: LeaseRenewalOptions) {
    this.#lease = lease;
    this.#options = options;
  }

  /** Resolves when the lease is lost, or after `stop`. */
  async run(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stop;
    const periodMs = this.#lease.ttlMs / 3;
    let failures = 0;
    for (;;) {
      this.#wait = new AbortController();
      await withAnySignal([signal, this.#wait.signal], (ended) =>
        failures === 0 ? pauseOn(clock, periodMs, ended) : quietPause(BACKOFF.soon(failures), ended),
      );
      if (signal.aborted) return;
      if (await this.#renew(periodMs)) {
        failures = 0;
        this.#renewed();
      } else {
        failures += 1;
      }
    }
  }

  /** Ends the wait for the next renewal. */
  renewNow(): void {
    this.#wait.abort();
  }

  stop(): void {
    this.#stop.abort();
  }

  /** The next renewal does not wait for an answer to anything else. */
  #renewed(): void {
    this.#afterRenewal ??= this.#options.onRenewed().finally(() => {
      this.#afterRenewal = undefined;
    });
  }

  /** Returns false without an answer. One attempt must not use up the time that further attempts need. */
  async #renew(limitMs: number): Promise<boolean> {
    const { leases, clock } = this.#options;
    const limit = new AbortController();
    const cancel = clock.after(limitMs, () => {
      limit.abort();
    });
    const sent = instantOf(clock);
    try {
      const isRenewed = await withAnySignal([this.#stop.signal, limit.signal], (ended) =>
        leases.renew(this.#lease.id, ended),
      );
      if (isRenewed) this.#lease.confirm(sent);
      else this.#lease.lose('gone');
      return isRenewed;
    } catch {
      return false;
    } finally {
      cancel();
    }
  }
}
