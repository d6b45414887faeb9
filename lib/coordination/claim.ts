import { setMaxListeners } from 'node:events';
import type { Fence, FenceRegistry } from '../backend/fence.js';
import type { Condition, KeyValueStore } from '../backend/key-value-store.js';
import type { LeaseKeeper } from './lease-keeper.js';
import type { ProcessLease } from './process-lease.js';

export interface ClaimOptions {
  readonly name: string;
  readonly rawKey: string;
  readonly createRevision: number;
  readonly lease: ProcessLease;
  readonly keeper: LeaseKeeper;
  readonly keyValue: KeyValueStore;
  readonly fences: FenceRegistry;
}

/**
 * A key that this process has created under its lease, as proof of ownership. It is lost with its lease, or when its
 * key is deleted or replaced. It is given up in two steps: `abort` tells its user to stop, `release` deletes the key.
 */
export class Claim {
  readonly fence: Fence;
  readonly #options: ClaimOptions;
  readonly #abort = new AbortController();
  #isTaken = false;
  #isReleased = false;

  constructor(options: ClaimOptions) {
    const { name, createRevision: token, lease, fences } = options;
    this.#options = options;
    setMaxListeners(0, this.#abort.signal);
    this.fence = new ClaimFence(name, token, this.#abort.signal, {
      isHeld: () => !this.#isTaken && !this.#isReleased && lease.held,
      verify: () => this.#verify(),
    });
    fences.add(this.fence, this.condition);
    if (lease.loss !== undefined) this.lose();
    else {
      lease.signal.addEventListener(
        'abort',
        () => {
          this.lose();
        },
        { once: true, signal: this.#abort.signal },
      );
    }
  }

  get rawKey(): string {
    return this.#options.rawKey;
  }

  /** Time to live of the claim's lease, in milliseconds. */
  get leaseTtlMs(): number {
    return this.#options.lease.ttlMs;
  }

  /** The condition that the fence adds to a transaction. */
  get condition(): Condition {
    const { rawKey, createRevision, lease } = this.#options;
    return { rawKey, createRevision, lease: lease.id };
  }

  get isLost(): boolean {
    return this.#isTaken || this.#options.lease.loss !== undefined;
  }

  /** True from `release` on, even if etcd has not answered yet. */
  get isReleased(): boolean {
    return this.#isReleased;
  }

  /** True if this is the record of the claim's key. */
  matches(record: { readonly createRevision: number; readonly lease: string | undefined } | undefined): boolean {
    const { createRevision, lease } = this.#options;
    return record?.createRevision === createRevision && record.lease === lease.id;
  }

  /** The ownership has ended: `held` is false from now on. Idempotent. */
  lose(): void {
    this.#isTaken = true;
    this.#abort.abort(new Error(`"${this.#options.name}" is no longer owned by this instance`));
  }

  /** Aborts the fence's signal. `held` stays true and fenced writes work until `release`. Idempotent. */
  abort(): void {
    this.#abort.abort(new Error(`this instance gives "${this.#options.name}" up`));
  }

  /**
   * To be called once, when nothing runs under the claim any more, also after a loss. Deletes the key if it is still the
   * claim's, and resolves when etcd has answered.
   */
  async release(): Promise<void> {
    const { keeper, lease, rawKey } = this.#options;
    this.abort();
    this.#isReleased = true;
    await keeper.remove(lease, rawKey);
  }

  async #verify(): Promise<boolean> {
    const { keyValue, rawKey } = this.#options;
    const isPresent = this.matches((await keyValue.get(rawKey)).record);
    if (!isPresent) this.lose();
    return isPresent;
  }
}

class ClaimFence implements Fence {
  readonly #isHeld: () => boolean;
  readonly verify: () => Promise<boolean>;

  constructor(
    readonly name: string,
    readonly token: number,
    readonly signal: AbortSignal,
    { isHeld, verify }: { readonly isHeld: () => boolean; readonly verify: () => Promise<boolean> },
  ) {
    this.#isHeld = isHeld;
    this.verify = verify;
  }

  get held(): boolean {
    return this.#isHeld();
  }
}
