import { EtcdTriggerError } from '../etcd-trigger.errors.js';
import { withAnySignal } from '../timing/any-signal.js';
import { BACKOFF, quietPause } from '../timing/backoff.js';
import { Gate } from '../timing/gate.js';
import type { LeaseKeeper } from './lease-keeper.js';
import type { ProcessLease } from './process-lease.js';
import { isRefusal } from './refusal.js';

/** The key exists under another lease. It is written when that has expired, or when the key is deleted. */
export class KeyTakenError extends Error {}

/** Keeps one key under the lease of this process from `start` to `remove`, and creates it again after a loss. */
export class KeptKey {
  readonly #keeper: LeaseKeeper;
  readonly #rawKey: string;
  readonly #stop = new AbortController();
  /** Open when there is something to do: the key is lost, or its value has changed. */
  readonly #work = new Gate();
  readonly #onFailure: ((error: unknown) => void) | undefined;
  /** Open while the key is written with its current value, and after `remove`. */
  readonly #written = new Gate();
  /** Aborts at the next change of the value. */
  #changed = new AbortController();
  #value: Buffer;
  #confirmed: Buffer | undefined;
  #running: Promise<void> | undefined;

  /** @param onFailure called after each attempt to write that has failed, and is retried */
  constructor(keeper: LeaseKeeper, rawKey: string, value: Buffer, onFailure?: (error: unknown) => void) {
    this.#keeper = keeper;
    this.#onFailure = onFailure;
    this.#rawKey = rawKey;
    this.#value = value;
  }

  /** True if etcd has confirmed the key with its current value, and no loss is known. */
  get isWritten(): boolean {
    return this.#confirmed === this.#value;
  }

  /** Resolves when the key is written with its current value, or removed. */
  whenWritten(): Promise<void> {
    return this.#written.whenOpen();
  }

  start(): void {
    this.#running ??= this.#run(this.#stop.signal);
  }

  /** Writes another value as soon as possible. */
  update(value: Buffer): void {
    this.#value = value;
    this.#confirm(this.#confirmed);
    this.#work.open();
    this.#changed.abort();
    this.#changed = new AbortController();
  }

  /** Deletes the key. Resolves when etcd has answered, or when the keeper closes. Idempotent. */
  async remove(): Promise<void> {
    this.#stop.abort();
    this.#work.open();
    await this.#running;
    this.#written.open();
  }

  #confirm(value: Buffer | undefined): void {
    this.#confirmed = value;
    if (this.isWritten) this.#written.open();
    else this.#written.close();
  }

  async #run(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted;) {
      try {
        const lease = await this.#keeper.lease(signal);
        await this.#keep(lease, signal);
        failures = 0;
      } catch (error) {
        await this.#pauseAfter(error, failures, [signal]);
        failures += 1;
      }
    }
  }

  /** Another value is tried at once. */
  async #pauseAfter(error: unknown, failures: number, signals: readonly AbortSignal[]): Promise<void> {
    this.#onFailure?.(error);
    const isRefused = error instanceof EtcdTriggerError && failures > 2;
    const ms = isRefused ? BACKOFF.refused() : BACKOFF.soon(failures);
    await withAnySignal([...signals, this.#changed.signal], (ended) => quietPause(ms, ended));
  }

  /** Resolves when the key or its lease is lost, and after `remove`. */
  async #keep(lease: ProcessLease, signal: AbortSignal): Promise<void> {
    const value = this.#value;
    let isLost = false;
    const lose = (): void => {
      isLost = true;
      this.#confirm(undefined);
      this.#work.open();
    };
    const outcome = await this.#keeper.create(lease, { rawKey: this.#rawKey, value, onLost: lose }, signal);
    // The key of an earlier lease of this process, or of a process that uses the same name, is in the way.
    if (!outcome.created) throw new KeyTakenError();
    lease.signal.addEventListener('abort', lose);
    try {
      this.#confirm(value);
      for (let failures = 0; !signal.aborted && !isLost;) {
        try {
          isLost = !(await this.#updateOrWait(lease, signal));
          failures = 0;
        } catch (error) {
          // The former value remains until etcd accepts the new one.
          if (!isRefusal(error)) throw error;
          await this.#pauseAfter(error, failures, [signal, lease.signal]);
          failures += 1;
        }
      }
    } finally {
      lease.signal.removeEventListener('abort', lose);
      this.#confirm(undefined);
      await this.#keeper.remove(lease, this.#rawKey);
    }
  }

  /** Returns false if the key no longer exists. */
  async #updateOrWait(lease: ProcessLease, signal: AbortSignal): Promise<boolean> {
    const value = this.#value;
    if (this.#confirmed !== value) {
      if (!(await this.#keeper.update(lease, this.#rawKey, value, signal))) return false;
      this.#confirm(value);
    }
    this.#work.close();
    if (this.isWritten) await this.#work.whenOpen();
    return true;
  }
}
