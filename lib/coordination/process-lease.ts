import { setMaxListeners } from 'node:events';
import type { LeaseClock } from '../backend/lease-clock.js';
import type { Lease } from '../backend/lease-store.js';

/** A moment on both clocks. */
export interface Instant {
  readonly now: number;
  readonly wall: number;
}

export const instantOf = (clock: LeaseClock): Instant => ({ now: clock.now(), wall: clock.wall() });

/**
 * `expired`: the deadline of this instance has passed without a renewal; etcd may still have the lease. `gone`: etcd
 * does not have the lease. `closed`: the module has closed.
 */
export type LeaseLoss = 'expired' | 'gone' | 'closed';

export interface ProcessLeaseOptions {
  readonly clock: LeaseClock;
  /** Returns how much earlier than etcd this instance regards the lease as lost, from the granted time to live. */
  readonly marginMs: (ttlMs: number) => number;
  /** The machine was suspended, so a renewal must confirm the lease. May be called more than once. */
  readonly onSuspicion: () => void;
  readonly onLoss: (loss: LeaseLoss) => void;
}

/** More than any correction of the wall clock by NTP's slewing between two renewals. */
const SUSPENSION_MS = 1_000;

/**
 * The lease of this process, under which everything is that the process owns. It counts as valid until the time to
 * live, less a margin, has passed since the last confirmed renewal was *sent*. It is lost once and never comes back.
 */
export class ProcessLease {
  /** Decimal. */
  readonly id: string;
  readonly ttlMs: number;
  readonly #options: ProcessLeaseOptions;
  readonly #validMs: number;
  readonly #abort = new AbortController();
  #confirmed: Instant;
  #loss: LeaseLoss | undefined;
  #cancelCheck: (() => void) | undefined;

  /**
   * A lease whose grant was answered too late is lost from the beginning; `onLoss` is not called then.
   * @param sent when the request for the lease was sent
   */
  constructor({ id, ttlSeconds }: Lease, sent: Instant, options: ProcessLeaseOptions) {
    this.id = id;
    this.ttlMs = ttlSeconds * 1_000;
    this.#options = options;
    this.#validMs = this.ttlMs - options.marginMs(this.ttlMs);
    this.#confirmed = sent;
    // Every key of the lease adds a listener, which is no leak.
    setMaxListeners(0, this.#abort.signal);
    if (this.#leftMs > 0) this.#check();
    else this.#loss = 'expired';
  }

  /** Aborts when the lease is lost. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get loss(): LeaseLoss | undefined {
    return this.#loss;
  }

  /** Milliseconds until this instance regards the lease as lost, unless a renewal is confirmed before; 0 after that. */
  get remainingMs(): number {
    return this.#loss === undefined ? Math.max(0, this.#leftMs) : 0;
  }

  /** See `Fence.held`. */
  get held(): boolean {
    if (this.#loss !== undefined || this.#leftMs <= 0) return false;
    if (!this.#wasSuspended) return true;
    this.#options.onSuspicion();
    return false;
  }

  /** etcd has confirmed a renewal that was sent then. */
  confirm(sent: Instant): void {
    if (this.#loss !== undefined || sent.now < this.#confirmed.now) return;
    this.#confirmed = sent;
    this.#check();
  }

  /** Idempotent. */
  lose(loss: LeaseLoss): void {
    if (this.#loss !== undefined) return;
    this.#loss = loss;
    this.#cancelCheck?.();
    this.#options.onLoss(loss);
    this.#abort.abort(new Error(`the lease of this instance is lost (${loss})`));
  }

  get #leftMs(): number {
    return this.#confirmed.now + this.#validMs - this.#options.clock.now();
  }

  /** The monotonic clock stands still while a machine is suspended, and the lease expires meanwhile. */
  get #wasSuspended(): boolean {
    const { clock } = this.#options;
    return clock.wall() - this.#confirmed.wall - (clock.now() - this.#confirmed.now) > SUSPENSION_MS;
  }

  #check(): void {
    this.#cancelCheck?.();
    const left = this.#leftMs;
    if (left <= 0) this.lose('expired');
    else {
      this.#cancelCheck = this.#options.clock.after(left, () => {
        this.#check();
      });
    }
  }
}
