import type { VirtualClock } from './virtual-clock.js';

interface FakeLease {
  readonly ttlSeconds: number;
  readonly isKeptAlive: () => boolean;
  readonly cancelTimer: () => void;
}

/** A lease of a backup. */
export interface FakeLeaseRecord {
  readonly id: string;
  readonly ttlSeconds: number;
}

/** Leases that expire by a virtual clock. */
export class FakeLeases {
  readonly #clock: VirtualClock;
  readonly #ended: (id: string) => void;
  readonly #leases = new Map<string, FakeLease>();
  /** Like real lease ids, these exceed the range of safe integers. */
  #lastId = 7_587_000_000_000_000_000n;

  /** @param ended called when a lease expires or is revoked */
  constructor(clock: VirtualClock, ended: (id: string) => void) {
    this.#clock = clock;
    this.#ended = ended;
  }

  has(id: string): boolean {
    return this.#leases.has(id);
  }

  /** @param isKeptAlive returns true while the owner renews the lease. Such a lease does not expire. */
  grant(ttlSeconds: number, isKeptAlive = () => false): { readonly id: string; readonly ttlSeconds: number } {
    this.#lastId += 1n;
    const id = this.#lastId.toString();
    this.#begin(id, ttlSeconds, isKeptAlive);
    return { id, ttlSeconds };
  }

  /** Nothing renews the lease. Returns false if a lease with this id exists. */
  grantAs(id: string, ttlSeconds: number): boolean {
    if (this.#leases.has(id)) return false;
    this.#begin(id, ttlSeconds, () => false);
    return true;
  }

  /** Restarts the lease's time to live. Returns false if the lease does not exist. */
  renew(id: string): boolean {
    const lease = this.#leases.get(id);
    if (!lease) return false;
    lease.cancelTimer();
    this.#begin(id, lease.ttlSeconds, lease.isKeptAlive);
    return true;
  }

  /** Restarts the time to live of every lease whose owner renews it. */
  renewKeptAlive(): void {
    for (const [id, { isKeptAlive }] of [...this.#leases]) if (isKeptAlive()) this.renew(id);
  }

  /** Returns false if the lease does not exist. */
  revoke(id: string): boolean {
    this.#leases.get(id)?.cancelTimer();
    if (!this.#leases.delete(id)) return false;
    this.#ended(id);
    return true;
  }

  get all(): readonly FakeLeaseRecord[] {
    return Array.from(this.#leases, ([id, { ttlSeconds }]) => ({ id, ttlSeconds }));
  }

  /**
   * Replaces all leases by those of a backup, each with its full time to live, without calling `ended`. Nobody renews
   * those that have ended since.
   */
  restore(leases: readonly FakeLeaseRecord[]): void {
    const before = new Map(this.#leases);
    for (const { cancelTimer } of before.values()) cancelTimer();
    this.#leases.clear();
    for (const { id, ttlSeconds } of leases) this.#begin(id, ttlSeconds, before.get(id)?.isKeptAlive ?? (() => false));
  }

  #begin(id: string, ttlSeconds: number, isKeptAlive: () => boolean): void {
    const cancelTimer = this.#clock.after(ttlSeconds * 1_000, () => {
      if (isKeptAlive()) this.renew(id);
      else this.revoke(id);
    });
    this.#leases.set(id, { ttlSeconds, isKeptAlive, cancelTimer });
  }
}
