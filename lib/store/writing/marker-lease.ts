import { ConnectionError } from '../../etcd-trigger.errors.js';
import type { LeaseStore } from '../../backend/lease-store.js';

/** How long a marker lives, at most; at least this less `USED_FOR_MS`. */
const TTL_SECONDS = 60;
/** How long a lease takes further markers: then the last of them has long been read. */
const USED_FOR_MS = 20_000;

/** The lease that markers hang on: one for many, exchanged before it is old, never renewed. So no marker outlives it. */
export class MarkerLease {
  #granted: { readonly id: Promise<string>; readonly since: number } | undefined;

  constructor(private readonly leases: LeaseStore) {}

  /** Decimal id of a lease that is fresh. */
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

  /** etcd does not know it any more. */
  forget(): void {
    this.#granted = undefined;
  }

  /** Once more after a lost answer: the first one, if there is one, holds nothing and ends by itself. */
  async #grant(): Promise<string> {
    try {
      return (await this.leases.grant(TTL_SECONDS)).id;
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      return (await this.leases.grant(TTL_SECONDS)).id;
    }
  }
}
