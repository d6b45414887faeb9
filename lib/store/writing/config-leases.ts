import { PermissionDeniedError } from '../../etcd-trigger.errors.js';
import { BACKOFF, quietPause } from '../../timing/backoff.js';
import { within } from '../../timing/time-limit.js';
import type { InstanceLog } from '../../etcd-trigger.log.js';
import { checkInteger } from '../../option-checks.js';
import { describeThrown } from '../../foreign/foreign-error.js';
import { keepAlive } from './lease-keep-alive.js';
import { rawKeyOf } from '../../backend/key-record.js';
import type { KeyValueStore } from '../../backend/key-value-store.js';
import type { AuditTrail } from '../audit/audit-trail.js';
import { type Lease, LeaseNotFoundError, type LeaseStore } from '../../backend/lease-store.js';
import type { DefinitionFeed } from '../cache/definition-feed.js';
import { quoted } from '../../foreign/foreign-text.js';

/** Lease of a key that exists as long as this process. */
export interface LeaseOptions {
  /** Time after which the key expires when this process ends or is disconnected, in seconds; etcd may extend it. */
  readonly ttlSeconds: number;
}

/** A key that was put with its own lease. */
export interface LeasedPut {
  readonly key: string;
  readonly bytes: Buffer;
  readonly lease: Lease;
  readonly revision: number;
  /** The feed of the key, which shows later writes. */
  readonly feed: DefinitionFeed;
}

/**
 * Keeps the leases of this process alive, one per key, until any client writes or deletes the key. A lease that expired
 * during an outage is reported once; the key is then put again with a new lease if it is absent.
 */
export class ConfigLeases {
  readonly #leases: LeaseStore;
  readonly #keyValue: KeyValueStore;
  readonly #log: InstanceLog;
  readonly #audit: AuditTrail | undefined;
  readonly #leasedKeys = new Map<string, LeasedKey>();
  readonly #revoking = new Set<Promise<void>>();

  constructor(leases: LeaseStore, keyValue: KeyValueStore, log: InstanceLog, audit: AuditTrail | undefined) {
    this.#audit = audit;
    this.#leases = leases;
    this.#keyValue = keyValue;
    this.#log = log;
  }

  /** @throws InvalidOptionsError for a time to live that etcd does not accept */
  async grant(key: string, { ttlSeconds }: LeaseOptions): Promise<Lease> {
    checkInteger(`put ${quoted(key)}: lease.ttlSeconds`, ttlSeconds, { min: 1, max: MAX_TTL_SECONDS, key });
    return this.#leases.grant(ttlSeconds);
  }

  /** Starts to keep the lease of a key alive. */
  add(put: LeasedPut): void {
    const leasedKey = new LeasedKey(put);
    this.#leasedKeys.get(put.key)?.stop();
    this.#leasedKeys.set(put.key, leasedKey);
    this.#supervise(leasedKey);
  }

  /** A failure of the renewal itself must not let the lease expire silently. */
  #supervise(leasedKey: LeasedKey): void {
    if (leasedKey.signal.aborted) return;
    this.#keepAlive(leasedKey).catch(async (error: unknown) => {
      if (leasedKey.signal.aborted) return;
      this.#log.error(
        `the renewal of the lease of ${quoted(leasedKey.key)} failed unexpectedly and is retried: ${describeThrown(error)}`,
      );
      await quietPause(BACKOFF.soon(0), leasedKey.signal);
      this.#supervise(leasedKey);
    });
  }

  /** Revokes the previous lease of a key after this process has written or deleted the key. */
  release(key: string, revision: number): void {
    const leasedKey = this.#leasedKeys.get(key);
    if (leasedKey && leasedKey.revision < revision) this.#drop(leasedKey);
  }

  /** Revokes a lease in the background, if etcd answers in time. */
  discard(lease: Lease): void {
    const signal = AbortSignal.timeout(REVOKE_LIMIT_MS);
    // An unreachable etcd lets the lease expire.
    const revoking = this.#leases.revoke(lease.id, signal).catch(() => undefined);
    this.#revoking.add(revoking);
    void revoking.then(() => this.#revoking.delete(revoking));
  }

  /** Stops all renewals immediately and without requests. */
  stop(): void {
    for (const leasedKey of this.#leasedKeys.values()) leasedKey.stop();
    this.#leasedKeys.clear();
  }

  /** Revokes all leases, which deletes their keys, if etcd answers within the limit. */
  async close(): Promise<void> {
    for (const leasedKey of this.#leasedKeys.values()) this.#drop(leasedKey);
    if (this.#revoking.size > 0) await within(Promise.all(this.#revoking), REVOKE_LIMIT_MS);
  }

  async #keepAlive(leasedKey: LeasedKey): Promise<void> {
    const options = { signal: leasedKey.signal, isNeeded: () => leasedKey.isCurrent() };
    for (;;) {
      const end = await keepAlive(leasedKey.lease, this.#leases, options);
      if (end === 'unneeded') this.#drop(leasedKey);
      if (end !== 'lost') return;
      if (!(await this.#restore(leasedKey))) return;
    }
  }

  /** Puts the key again with a new lease if it is absent; returns false if another client has written it. */
  async #restore(leasedKey: LeasedKey): Promise<boolean> {
    const { key, signal } = leasedKey;
    this.#log.warn(`the lease of ${quoted(key)} expired; the key is put again with a new lease if it is absent`);
    let lease: Lease | undefined;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        lease ??= await this.#leases.grant(leasedKey.lease.ttlSeconds);
        const revision = await this.#putIfAbsent(leasedKey, lease);
        if (revision === undefined) {
          this.#log.warn(`${quoted(key)} was written by another client in the meantime and is not put again`);
          this.#drop(leasedKey, lease);
          return false;
        }
        leasedKey.replaceLease(lease, revision);
        this.#log.info(`${quoted(key)} was put again with a new lease`);
        return true;
      } catch (error) {
        if (error instanceof LeaseNotFoundError) lease = undefined;
        await quietPause(error instanceof PermissionDeniedError ? BACKOFF.refused() : BACKOFF.soon(attempt), signal);
      }
    }
    if (lease) this.discard(lease);
    return false;
  }

  /** May be repeated after a lost answer: a record with this lease is the write whose answer was lost. */
  async #putIfAbsent({ key, bytes, feed }: LeasedKey, lease: Lease): Promise<number | undefined> {
    const rawKey = rawKeyOf(key);
    const what = `put ${quoted(key)} again`;
    const { format, parser } = feed;
    const restored = { key, action: 'restore', fromRevision: 0, before: undefined, after: bytes, format } as const;
    const records = await this.#audit?.recordsOf(what, [{ ...restored, limits: parser.limits }]);
    try {
      const result = await this.#keyValue.commit({
        what,
        key,
        conditions: [{ rawKey, revision: 0 }],
        operations: [{ type: 'put', rawKey, value: bytes, lease: lease.id }, ...(records?.operations ?? [])],
      });
      if (result.applied) return result.revision;
      const [current] = result.current;
      return current?.lease === lease.id ? current.revision : undefined;
    } catch (error) {
      if (error instanceof LeaseNotFoundError) await records?.forgetLease();
      throw error;
    }
  }

  #drop(leasedKey: LeasedKey, lease = leasedKey.lease): void {
    leasedKey.stop();
    if (this.#leasedKeys.get(leasedKey.key) === leasedKey) this.#leasedKeys.delete(leasedKey.key);
    this.discard(lease);
  }
}

/** Limit of etcd. */
const MAX_TTL_SECONDS = 9_000_000_000;
const REVOKE_LIMIT_MS = 2_000;

class LeasedKey {
  readonly key: string;
  readonly bytes: Buffer;
  readonly feed: LeasedPut['feed'];
  readonly #abort = new AbortController();
  #lease: Lease;
  #revision: number;

  constructor({ key, bytes, feed, lease, revision }: LeasedPut) {
    this.key = key;
    this.bytes = bytes;
    this.feed = feed;
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

  /** True if the store has seen no later write of the key. */
  isCurrent(): boolean {
    return this.feed.visibleRevision < this.#revision || this.feed.headRevision(this.key) === this.#revision;
  }

  replaceLease(lease: Lease, revision: number): void {
    this.#lease = lease;
    this.#revision = revision;
  }

  stop(): void {
    this.#abort.abort();
  }
}
