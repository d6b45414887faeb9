import { quoted } from '../foreign/foreign-text.js';
import { type KeyRecord, keyText } from '../backend/key-record.js';
import type { Condition, KeyValueStore, Operation } from '../backend/key-value-store.js';
import { LeaseNotFoundError, type LeaseStore } from '../backend/lease-store.js';
import { ConnectionError, UnknownOutcomeError } from '../etcd-trigger.errors.js';
import type { InstanceLog } from '../etcd-trigger.log.js';
import { withAnySignal } from '../timing/any-signal.js';
import { BACKOFF, quietPause } from '../timing/backoff.js';
import type { ProcessLease } from './process-lease.js';
import { RefusedRemovals } from './refused-removals.js';
import { WriteBarrier } from './write-barrier.js';

export interface LeasedKeysOptions {
  readonly leases: LeaseStore;
  readonly keyValue: KeyValueStore;
  readonly log: InstanceLog;
  /** Returns the raw key of a lease's write barrier. */
  readonly barrierKey: (lease: string) => string;
  /** etcd has answered that a lease, which this process had given up, no longer exists. */
  readonly onRevoked: () => void;
}

/** A key to create under the lease. */
export interface LeasedKeyRequest {
  readonly rawKey: string;
  readonly value: Buffer;
  /** Further conditions of the same transaction. */
  readonly conditions?: readonly Condition[];
  /** Further operations of the same transaction. */
  readonly operations?: readonly Operation[];
  /**
   * etcd has answered that the key no longer exists as it was created, although the lease is not lost. May be called
   * more than once.
   */
  readonly onLost?: () => void;
}

/** The certain outcome of `LeaseKeeper.create`. */
export type LeasedKeyOutcome =
  | { readonly created: true; readonly createRevision: number }
  /** `current`: the record of the key, then those of the further conditions. */
  | { readonly created: false; readonly revision: number; readonly current: readonly (KeyRecord | undefined)[] };

/** A key that this process has asked etcd to write under a lease. */
interface LeasedKey {
  readonly lease: ProcessLease;
  readonly onLost: (() => void) | undefined;
  /** True if etcd has created the key, or may have. */
  mayExist: boolean;
  /** True if the answer to a write was lost: etcd may apply that write later, unless the write barrier is raised. */
  mayArriveLate: boolean;
  /** Revisions of the key; `undefined` while it is being created or removed. */
  known: { readonly createRevision: number; readonly revision: number } | undefined;
}

/** The keys of this process's leases: those that should exist, and those that are being removed. */
export class LeasedKeys {
  readonly #options: LeasedKeysOptions;
  readonly #closing: AbortSignal;
  readonly #keys = new Map<string, LeasedKey>();
  readonly #removals = new Map<string, Promise<void>>();
  readonly #barriers = new WeakMap<ProcessLease, WriteBarrier>();
  readonly #refused: RefusedRemovals;

  /** @param closing ends all retries */
  constructor(options: LeasedKeysOptions, closing: AbortSignal) {
    this.#options = options;
    this.#closing = closing;
    this.#refused = new RefusedRemovals(options.log);
  }

  /** One sentence for each key that etcd refuses to remove. Nobody else is let in there before the lease has expired. */
  get problems(): readonly string[] {
    return this.#refused.problems;
  }

  async create(lease: ProcessLease, request: LeasedKeyRequest, signal: AbortSignal): Promise<LeasedKeyOutcome> {
    const { rawKey, onLost } = request;
    await this.#removals.get(rawKey);
    if (this.#keys.has(rawKey)) throw new Error(`the key ${quoted(keyText(rawKey))} is already used in this process`);
    const key: LeasedKey = { lease, onLost, mayExist: false, mayArriveLate: false, known: undefined };
    this.#keys.set(rawKey, key);
    const attempt = async (): Promise<LeasedKeyOutcome> => {
      try {
        const outcome = await this.#tryCreate(lease, request);
        key.mayExist = outcome.created;
        return outcome;
      } catch (error) {
        if (error instanceof UnknownOutcomeError) key.mayArriveLate = true;
        throw error;
      }
    };
    try {
      const outcome = await this.#untilCertain(signal, attempt);
      signal.throwIfAborted();
      if (outcome.created) key.known = { createRevision: outcome.createRevision, revision: outcome.createRevision };
      else this.#end(key, rawKey);
      return outcome;
    } catch (error) {
      if (error instanceof LeaseNotFoundError) lease.lose('gone');
      this.#end(key, rawKey);
      throw error;
    }
  }

  async update(lease: ProcessLease, rawKey: string, value: Buffer, signal: AbortSignal): Promise<boolean> {
    const key = this.#keys.get(rawKey);
    if (!key?.known || key.lease !== lease) return false;
    return this.#untilCertain(signal, () => this.#tryUpdate(key, rawKey, value));
  }

  remove(lease: ProcessLease, rawKey: string): Promise<void> {
    const running = this.#removals.get(rawKey);
    if (running) return running;
    const key = this.#keys.get(rawKey);
    if (key?.lease === lease) key.known = undefined;
    const removal = this.#remove(lease, rawKey, key?.mayArriveLate ?? false).finally(() => {
      this.#removals.delete(rawKey);
      this.#refused.forget(rawKey);
      this.#forget(rawKey, lease);
    });
    this.#removals.set(rawKey, removal);
    return removal;
  }

  async removeAllBut(kept: readonly string[], lease: ProcessLease): Promise<void> {
    const removed = [...this.#keys.keys()].filter((rawKey) => !kept.includes(rawKey));
    await Promise.all(removed.map((rawKey) => this.remove(lease, rawKey)));
  }

  /** Retries until etcd has revoked the lease. */
  async revoke(id: string): Promise<void> {
    await this.#untilAnswered(() => this.#options.leases.revoke(id, this.#closing));
  }

  /** A lease that this process gave up may still exist in etcd. It is revoked as soon as none of its keys is in use. */
  revokeIfUnused(lease: ProcessLease): void {
    const isUsed = [...this.#keys.values()].some((key) => key.lease === lease);
    if (lease.loss === 'expired' && !isUsed) void this.revoke(lease.id).then(this.#options.onRevoked);
  }

  /**
   * Compares the keys of the lease in etcd with those that should exist. A key that nothing in this process knows was
   * left behind by a write whose answer was lost, and is removed.
   */
  async compare(lease: ProcessLease): Promise<void> {
    const before = new Set(this.#keys.keys());
    const expected = new Map([...this.#keys].filter(([, key]) => key.lease === lease && key.known !== undefined));
    let found: readonly string[] | undefined;
    try {
      found = await withAnySignal([this.#closing, lease.signal], (any) => this.#options.leases.keys(lease.id, any));
    } catch {
      // The next renewal compares again.
      return;
    }
    // The next renewal finds out whether the lease is gone.
    if (found === undefined) return;
    const barrier = this.#barrier(lease).rawKey;
    for (const rawKey of found) {
      if (rawKey === barrier || before.has(rawKey) || this.#keys.has(rawKey) || lease.loss !== undefined) continue;
      this.#options.log.warn(`${quoted(keyText(rawKey))} belongs to nothing in this instance; removing it`);
      void this.remove(lease, rawKey);
    }
    const present = new Set(found);
    const missing = [...expected].filter(([rawKey]) => !present.has(rawKey));
    await Promise.all(missing.map(([rawKey, key]) => this.#verify(rawKey, key)));
  }

  /** The answer may be older than the creation of the key, because it is not linearizable. */
  async #verify(rawKey: string, key: LeasedKey): Promise<void> {
    try {
      const { record } = await this.#options.keyValue.get(rawKey);
      const { known } = key;
      if (!known || this.#keys.get(rawKey) !== key) return;
      if (record?.lease !== key.lease.id || record.createRevision !== known.createRevision) key.onLost?.();
    } catch {
      // The next renewal compares again.
    }
  }

  async #tryCreate(lease: ProcessLease, request: LeasedKeyRequest): Promise<LeasedKeyOutcome> {
    const { rawKey, value, conditions = [], operations = [] } = request;
    const barrier = this.#barrier(lease);
    for (;;) {
      const result = await this.#options.keyValue.commit({
        what: `create ${quoted(keyText(rawKey))}`,
        key: keyText(rawKey),
        conditions: [{ rawKey, revision: 0 }, ...conditions, barrier.condition],
        operations: [{ type: 'put', rawKey, value, lease: lease.id }, ...operations],
      });
      if (result.applied) return { created: true, createRevision: result.revision };
      const [record] = result.current;
      if (record?.lease === lease.id) return { created: true, createRevision: record.createRevision };
      if (barrier.hasMoved(result.current)) continue;
      return { created: false, revision: result.revision, current: result.current.slice(0, -1) };
    }
  }

  async #tryUpdate(key: LeasedKey, rawKey: string, value: Buffer): Promise<boolean> {
    const { lease } = key;
    for (;;) {
      if (!key.known) return false;
      const { createRevision, revision } = key.known;
      const result = await this.#options.keyValue.commit({
        what: `update ${quoted(keyText(rawKey))}`,
        key: keyText(rawKey),
        conditions: [{ rawKey, revision, createRevision, lease: lease.id }],
        operations: [{ type: 'put', rawKey, value, lease: lease.id }],
      });
      const record = result.applied ? undefined : result.current[0];
      if (!result.applied && (record?.lease !== lease.id || record.createRevision !== createRevision)) return false;
      // An earlier attempt or an earlier update, whose answer was lost, was applied.
      key.known = { createRevision, revision: record?.revision ?? result.revision };
      if (result.applied || record?.value.equals(value)) return true;
    }
  }

  /** Nothing remains to be removed once etcd does not have the lease. */
  async #remove(lease: ProcessLease, rawKey: string, mayArriveLate: boolean): Promise<void> {
    if (lease.loss === 'gone') return;
    let isUncertain = mayArriveLate;
    await this.#untilAnswered(async () => {
      try {
        if (isUncertain) await this.#barrier(lease).raise();
        isUncertain = false;
        await this.#tryRemove(lease, rawKey);
      } catch (error) {
        if (error instanceof LeaseNotFoundError) {
          lease.lose('gone');
          return;
        }
        isUncertain ||= error instanceof UnknownOutcomeError;
        this.#refused.failed(rawKey, error);
        throw error;
      }
    });
  }

  async #tryRemove(lease: ProcessLease, rawKey: string): Promise<void> {
    const barrier = this.#barrier(lease);
    for (;;) {
      const result = await this.#options.keyValue.commit({
        what: `remove ${quoted(keyText(rawKey))}`,
        key: keyText(rawKey),
        conditions: [{ rawKey, lease: lease.id }, barrier.condition],
        operations: [{ type: 'delete', rawKey }],
      });
      if (result.applied || result.current[0]?.lease !== lease.id || !barrier.hasMoved(result.current)) return;
    }
  }

  #barrier(lease: ProcessLease): WriteBarrier {
    const existing = this.#barriers.get(lease);
    if (existing) return existing;
    const { keyValue, barrierKey } = this.#options;
    const barrier = new WriteBarrier(keyValue, barrierKey(lease.id), lease.id);
    this.#barriers.set(lease, barrier);
    return barrier;
  }

  /** A key that is not to be used exists if etcd has applied a write of it, or still does so. */
  #end({ lease, mayExist, mayArriveLate }: LeasedKey, rawKey: string): void {
    if (mayExist || mayArriveLate) void this.remove(lease, rawKey);
    else this.#forget(rawKey, lease);
  }

  #forget(rawKey: string, lease: ProcessLease): void {
    if (this.#keys.get(rawKey)?.lease === lease) this.#keys.delete(rawKey);
    this.revokeIfUnused(lease);
  }

  /** @throws the reason of the abort; then the outcome is unknown */
  async #untilCertain<T>(signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
    for (let failures = 0; ; failures += 1) {
      signal.throwIfAborted();
      try {
        return await attempt();
      } catch (error) {
        if (!mayRecover(error)) throw error;
        await quietPause(BACKOFF.soon(failures), signal);
      }
    }
  }

  /** Resolves when etcd has answered, or when the keeper closes. */
  async #untilAnswered(attempt: () => Promise<unknown>): Promise<void> {
    for (let failures = 0; !this.#closing.aborted; failures += 1) {
      try {
        await attempt();
        return;
      } catch (error) {
        const waitMs = mayRecover(error) ? BACKOFF.soon(failures) : BACKOFF.refused();
        await quietPause(waitMs, this.#closing);
      }
    }
  }
}

const mayRecover = (error: unknown): boolean =>
  error instanceof UnknownOutcomeError || error instanceof ConnectionError;
