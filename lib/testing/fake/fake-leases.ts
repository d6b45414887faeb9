import type { VirtualClock } from './virtual-clock.js';

interface FakeLease {
  readonly ttlSeconds: number;
  readonly isKeptAlive: () => boolean;
  readonly cancelAlarm: () => void;
}

/** Leases, ending by a virtual clock. */
export class FakeLeases {
  readonly #clock: VirtualClock;
  readonly #ended: (id: string) => void;
  readonly #leases = new Map<string, FakeLease>();
  /** Real ids exceed what a number can hold; so do these. */
  #lastId = 7_587_000_000_000_000_000n;

  /** `ended` is called when one expires or is revoked. */
  constructor(clock: VirtualClock, ended: (id: string) => void) {
    this.#clock = clock;
    this.#ended = ended;
  }

  has(id: string): boolean {
    return this.#leases.has(id);
  }

  /** `isKeptAlive`: whether somebody is there who renews it in time, whatever the clock says. */
  grant(ttlSeconds: number, isKeptAlive = () => false): { readonly id: string; readonly ttlSeconds: number } {
    this.#lastId += 1n;
    const id = this.#lastId.toString();
    this.#begin(id, ttlSeconds, isKeptAlive);
    return { id, ttlSeconds };
  }

  /** Begins its time anew. Says whether it is there. */
  renew(id: string): boolean {
    const lease = this.#leases.get(id);
    if (!lease) return false;
    lease.cancelAlarm();
    this.#begin(id, lease.ttlSeconds, lease.isKeptAlive);
    return true;
  }

  /** Says whether it was there. */
  revoke(id: string): boolean {
    this.#leases.get(id)?.cancelAlarm();
    if (!this.#leases.delete(id)) return false;
    this.#ended(id);
    return true;
  }

  /** The store is another one: no lease is left, and none ends. */
  clear(): void {
    for (const { cancelAlarm } of this.#leases.values()) cancelAlarm();
    this.#leases.clear();
  }

  #begin(id: string, ttlSeconds: number, isKeptAlive: () => boolean): void {
    const cancelAlarm = this.#clock.after(ttlSeconds * 1_000, () => {
      if (isKeptAlive()) this.renew(id);
      else this.revoke(id);
    });
    this.#leases.set(id, { ttlSeconds, isKeptAlive, cancelAlarm });
  }
}
