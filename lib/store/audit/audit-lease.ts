import { randomBytes } from 'node:crypto';
import { ConnectionError } from '../../etcd-trigger.errors.js';
import type { LeaseStore } from '../../backend/lease-store.js';

const DAY_MS = 86_400_000;
const DAY_SECONDS = 86_400;

/**
 * The lease of this process's records, which is never renewed. It accepts records for one day, and exists one day longer
 * than they are kept. The clock does not decide about a write: etcd refuses a lease that has expired, and then `forget`
 * lets the next record have another one.
 */
export class AuditLease {
  readonly #leases: Pick<LeaseStore, 'grantAs'>;
  readonly #now: () => number;
  readonly #ttlSeconds: number;
  #granted: { readonly id: Promise<string>; readonly at: number } | undefined;

  /** `now`: milliseconds of the wall clock, which also passes while the machine is suspended. */
  constructor(leases: Pick<LeaseStore, 'grantAs'>, now: () => number, keepDays: number) {
    this.#leases = leases;
    this.#now = now;
    this.#ttlSeconds = (keepDays + 1) * DAY_SECONDS;
  }

  /**
   * Returns the decimal id of a lease that is at most one day old.
   * @throws ConnectionError, ConnectionTimeoutError if etcd does not answer
   */
  current(): Promise<string> {
    const now = this.#now();
    // The clock may have been set back.
    if (!this.#granted || Math.abs(now - this.#granted.at) > DAY_MS) {
      const granted = { id: this.#grant(), at: now };
      this.#granted = granted;
      granted.id.catch(() => {
        if (this.#granted === granted) this.#granted = undefined;
      });
    }
    return this.#granted.id;
  }

  /** Discards a lease that etcd does not know, unless it has been replaced already. */
  async forget(id: string): Promise<void> {
    const granted = this.#granted;
    if ((await granted?.id.catch(() => undefined)) === id && this.#granted === granted) this.#granted = undefined;
  }

  /** The second request names the same lease, so that a lost answer leaves no unused one behind. */
  async #grant(): Promise<string> {
    for (;;) {
      const id = newId();
      try {
        if (await this.#leases.grantAs(id, this.#ttlSeconds)) return id;
        // A lease of another client has this id.
      } catch (error) {
        if (!(error instanceof ConnectionError)) throw error;
        await this.#leases.grantAs(id, this.#ttlSeconds);
        return id;
      }
    }
  }
}

/** A random positive int64; 0 lets etcd choose. */
const newId = (): string => ((randomBytes(8).readBigUInt64BE() >> 1n) | 1n).toString();
