import { ConnectionError } from '../../etcd-trigger.errors.js';
import type { LeaseStore } from '../../backend/lease-store.js';

/** Maximum lifetime of a marker; the minimum is shorter by `USED_FOR_MS`. */
const TTL_SECONDS = 60;
/** A lease accepts markers for this time, so that its last marker exists long enough to be read. */
const USED_FOR_MS = 20_000;

/** The shared lease of the markers. It is replaced early and never renewed, so all markers expire. */
export class MarkerLease {
  #granted: { readonly id: Promise<string>; readonly since: number } | undefined;

  constructor(private readonly leases: LeaseStore) {}

  /** Returns the decimal id of a recent lease. */
  current(): Promise<string> {
    if (!this.#granted || performance.now() - this.#granted.since > USED_FOR_MS) {
      const id = this.#grant();
      const granted = { id, since: performance.now() };
      this.#granted = granted;
      id.catch(() => {
        if (this.#granted === granted) this.#granted = undefined;
      });
    }
    return this.#granted.id;
  }

  /** Discards a lease that etcd does not know. */
  forget(): void {
    this.#granted = undefined;
  }

  /** Retries once after a lost answer: a lease that the first request may have granted has no keys and expires. */
  async #grant(): Promise<string> {
    try {
      return (await this.leases.grant(TTL_SECONDS)).id;
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      return (await this.leases.grant(TTL_SECONDS)).id;
    }
  }
}
