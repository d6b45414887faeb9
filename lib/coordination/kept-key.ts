import { EtcdTriggerError } from '../etcd-trigger.errors.js';
import { BACKOFF, quietPause } from '../timing/backoff.js';
import { Gate } from '../timing/gate.js';
import type { LeaseKeeper } from './lease-keeper.js';
import type { ProcessLease } from './process-lease.js';

/**
 * Keeps one key under the lease of this process from `start` to `remove`, and creates it again after a loss. The key
 * must belong to this process only, for example because it contains the id of this instance.
 */
export class KeptKey {
  readonly #keeper: LeaseKeeper;
  readonly #rawKey: string;
  readonly #stop = new AbortController();
  /** Open when there is something to do: the key is lost, or its value has changed. */
  readonly #work = new Gate();
  #value: Buffer;
  #written: Buffer | undefined;
  #running: Promise<void> | undefined;

  constructor(keeper: LeaseKeeper, rawKey: string, value: Buffer) {
    this.#keeper = keeper;
    this.#rawKey = rawKey;
    this.#value = value;
  }

  /** True if etcd has confirmed the key with its current value, and no loss is known. */
  get isWritten(): boolean {
    return this.#written === this.#value;
  }

  start(): void {
    this.#running ??= this.#run(this.#stop.signal);
  }

  /** Writes another value as soon as possible. */
  update(value: Buffer): void {
    this.#value = value;
    this.#work.open();
  }

  /** Deletes the key. Resolves when etcd has answered, or when the keeper closes. Idempotent. */
  async remove(): Promise<void> {
    this.#stop.abort();
    this.#work.open();
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted;) {
      try {
        const lease = await this.#keeper.lease(signal);
        await this.#keep(lease, signal);
        failures = 0;
      } catch (error) {
        const isRefused = error instanceof EtcdTriggerError && failures > 2;
        await quietPause(isRefused ? BACKOFF.refused() : BACKOFF.soon(failures), signal);
        failures += 1;
      }
    }
  }

  /** Resolves when the key or its lease is lost, and after `remove`. */
  async #keep(lease: ProcessLease, signal: AbortSignal): Promise<void> {
    const value = this.#value;
    let isLost = false;
    const lose = (): void => {
      isLost = true;
      this.#written = undefined;
      this.#work.open();
    };
    const outcome = await this.#keeper.create(lease, { rawKey: this.#rawKey, value, onLost: lose }, signal);
    // Only the key of an earlier lease of this process can be in the way. It expires.
    if (!outcome.created) throw new Error(`"${this.#rawKey}" exists`);
    lease.signal.addEventListener('abort', lose);
    try {
      this.#written = value;
      while (!signal.aborted && !isLost) isLost = !(await this.#updateOrWait(lease, signal));
    } finally {
      lease.signal.removeEventListener('abort', lose);
      this.#written = undefined;
      await this.#keeper.remove(lease, this.#rawKey);
    }
  }

  /** Returns false if the key no longer exists. */
  async #updateOrWait(lease: ProcessLease, signal: AbortSignal): Promise<boolean> {
    const value = this.#value;
    if (this.#written !== value) {
      if (!(await this.#keeper.update(lease, this.#rawKey, value, signal))) return false;
      this.#written = value;
    }
    this.#work.close();
    if (this.isWritten) await this.#work.whenOpen();
    return true;
  }
}
