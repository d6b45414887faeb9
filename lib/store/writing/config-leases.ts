import { PermissionDeniedError } from '../../etcd-trigger.errors.js';
import { BACKOFF, quietPause } from '../../timing/backoff.js';
import type { InstanceLog } from '../../etcd-trigger.log.js';
import { checkInteger } from '../../option-checks.js';
import { keepAlive } from './lease-keep-alive.js';
import { rawKeyOf } from '../../backend/key-record.js';
import type { KeyValueStore } from '../../backend/key-value-store.js';
import { type Lease, LeaseNotFoundError, type LeaseStore } from '../../backend/lease-store.js';
import type { DefinitionFeed } from '../cache/definition-feed.js';

/** A key that lives as long as this process does. */
export interface LeaseOptions {
  /** How long the key outlives a process that dies or is cut off, in seconds; etcd may give more. */
  readonly ttlSeconds: number;
}

/** What was put under a lease of its own. */
export interface LeasedPut {
  readonly key: string;
  readonly bytes: Buffer;
  readonly lease: Lease;
  readonly revision: number;
  /** Of the key: says whether this is still its last write. */
  readonly feed: Pick<DefinitionFeed, 'cache' | 'visibleRevision'>;
}

/**
 * Keys that hang on leases of this process, each on its own: kept alive until the key is written or deleted by anybody. A lease that was lost in a
 * long break is said once, and the key is put again under a new one if it is absent then.
 */
export class ConfigLeases {
  readonly #leases: LeaseStore;
  readonly #keyValue: KeyValueStore;
  readonly #log: InstanceLog;
  readonly #held = new Map<string, LeasedKey>();
  readonly #revoking = new Set<Promise<void>>();

  constructor(leases: LeaseStore, keyValue: KeyValueStore, log: InstanceLog) {
    this.#leases = leases;
    this.#keyValue = keyValue;
    this.#log = log;
  }

  /** @throws InvalidOptionsError for a time to live that etcd does not take */
  async grant(key: string, { ttlSeconds }: LeaseOptions): Promise<Lease> {
    checkInteger(`put "${key}": lease.ttlSeconds`, ttlSeconds, { min: 1, max: MAX_TTL_SECONDS, key });
    return this.#leases.grant(ttlSeconds);
  }

  /** The key was put and lives on from here. */
  hold(put: LeasedPut): void {
    const held = new LeasedKey(put);
    this.#held.get(put.key)?.stop();
    this.#held.set(put.key, held);
    void this.#keep(held);
  }

  /** The key was written or deleted by this process: what it hung on before has no purpose any more. */
  release(key: string, revision: number): void {
    const held = this.#held.get(key);
    if (held && held.revision < revision) this.#drop(held);
  }

  /** A lease whose put was refused. */
  discard(lease: Lease): void {
    const signal = AbortSignal.timeout(REVOKE_LIMIT_MS);
    // Unreachable: then it expires.
    const revoking = this.#leases.revoke(lease.id, signal).catch(() => undefined);
    this.#revoking.add(revoking);
    void revoking.then(() => this.#revoking.delete(revoking));
  }

  /** Local and immediate: nothing is renewed any more. */
  stop(): void {
    for (const held of this.#held.values()) held.stop();
    this.#held.clear();
  }

  /** Ends all leases, and with them their keys, as far as etcd answers within the limit. */
  async close(): Promise<void> {
    for (const held of this.#held.values()) this.#drop(held);
    if (this.#revoking.size === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, REVOKE_LIMIT_MS);
    });
    await Promise.race([Promise.all(this.#revoking), limit]);
    clearTimeout(timer);
  }

  async #keep(held: LeasedKey): Promise<void> {
    const terms = { signal: held.signal, isNeeded: () => held.isCurrent() };
    for (;;) {
      const end = await keepAlive(held.lease, this.#leases, terms);
      if (end === 'unneeded') this.#drop(held);
      if (end !== 'lost') return;
      if (!(await this.#restore(held))) return;
    }
  }

  /** Puts the key again under a new lease, unless somebody else has. Says whether it is held again. */
  async #restore(held: LeasedKey): Promise<boolean> {
    const { key, signal } = held;
    this.#log.warn(`the lease of "${key}" was lost; putting the key again under a new one if it is absent`);
    let lease: Lease | undefined;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        lease ??= await this.#leases.grant(held.lease.ttlSeconds);
        const revision = await this.#putIfAbsent(held, lease);
        if (revision === undefined) {
          this.#log.warn(`"${key}" was written by somebody else meanwhile and is left as it is`);
          this.#drop(held, lease);
          return false;
        }
        held.heldBy(lease, revision);
        this.#log.info(`"${key}" is there again, under a new lease`);
        return true;
      } catch (error) {
        if (error instanceof LeaseNotFoundError) lease = undefined;
        await quietPause(error instanceof PermissionDeniedError ? BACKOFF.refused() : BACKOFF.soon(attempt), signal);
      }
    }
    if (lease) this.discard(lease);
    return false;
  }

  /** Sent again after a lost answer: what hangs on the very lease is the write whose answer was lost. */
  async #putIfAbsent({ key, bytes }: LeasedKey, lease: Lease): Promise<number | undefined> {
    const rawKey = rawKeyOf(key);
    const result = await this.#keyValue.commit({
      what: `put "${key}" again`,
      key,
      conditions: [{ rawKey, revision: 0 }],
      operations: [{ type: 'put', rawKey, value: bytes, lease: lease.id }],
    });
    if (result.applied) return result.revision;
    const [current] = result.current;
    return current?.lease === lease.id ? current.revision : undefined;
  }

  #drop(held: LeasedKey, lease = held.lease): void {
    held.stop();
    if (this.#held.get(held.key) === held) this.#held.delete(held.key);
    this.discard(lease);
  }
}

/** etcd's own limit. */
const MAX_TTL_SECONDS = 9_000_000_000;
const REVOKE_LIMIT_MS = 2_000;

class LeasedKey {
  readonly key: string;
  readonly bytes: Buffer;
  readonly #feed: LeasedPut['feed'];
  readonly #abort = new AbortController();
  #lease: Lease;
  #revision: number;

  constructor({ key, bytes, feed, lease, revision }: LeasedPut) {
    this.key = key;
    this.bytes = bytes;
    this.#feed = feed;
    this.#lease = lease;
    this.#revision = revision;
  }

  get lease(): Lease {
    return this.#lease;
  }

  get revision(): number {
    return this.#revision;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Whether this put is still the key's last write, as far as the store has seen. */
  isCurrent(): boolean {
    const { cache, visibleRevision } = this.#feed;
    return visibleRevision < this.#revision || cache.headRevision(this.key) === this.#revision;
  }

  heldBy(lease: Lease, revision: number): void {
    this.#lease = lease;
    this.#revision = revision;
  }

  stop(): void {
    this.#abort.abort();
  }
}
