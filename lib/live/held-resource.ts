import type { InstanceLog } from '../etcd-trigger.log.js';
import { describeThrown } from '../foreign/foreign-error.js';
import type { Clock } from '../timing/clock.js';
import { Deferred } from '../timing/deferred.js';

export interface HeldResourceOptions<T> {
  /** Begins the log lines. */
  readonly name: string;
  readonly dispose: (resource: T) => unknown;
  /** Time that running uses have to end once the resource is replaced, in milliseconds. */
  readonly drainMs: number;
  readonly clock: Clock;
  readonly log: InstanceLog;
}

/** One resource, its uses in progress, and its disposal, which happens once. */
export class HeldResource<T> {
  readonly #options: HeldResourceOptions<T>;
  readonly #disposed = new Deferred();
  #uses = 0;
  #isDisposing = false;
  /** Set while the resource waits for its uses to end. */
  #stopDraining: (() => void) | undefined;

  constructor(
    readonly value: T,
    options: HeldResourceOptions<T>,
  ) {
    this.#options = options;
  }

  get uses(): number {
    return this.#uses;
  }

  /** Resolves when the resource is disposed, or when its disposal has exceeded its limit. */
  get disposed(): Promise<void> {
    return this.#disposed.promise;
  }

  async use<R>(run: (value: T) => R | Promise<R>): Promise<R> {
    this.#uses += 1;
    try {
      return await run(this.value);
    } finally {
      this.#uses -= 1;
      if (this.#uses === 0 && this.#stopDraining) void this.#dispose();
    }
  }

  /** Disposes the resource when its last use has ended, or after `drainMs`. */
  retire(): void {
    if (this.#isDisposing || this.#stopDraining) return;
    const { name, drainMs, clock, log } = this.#options;
    if (this.#uses === 0) {
      void this.#dispose();
      return;
    }
    this.#stopDraining = clock.after(drainMs, () => {
      log.warn(`${name}: ${this.#uses} uses of a replaced resource have not ended after ${drainMs} ms: disposing it`);
      void this.#dispose();
    });
  }

  /** Takes a retired resource into use again. Returns false if its disposal has begun. */
  revive(): boolean {
    if (this.#isDisposing) return false;
    this.#stopDraining?.();
    this.#stopDraining = undefined;
    return true;
  }

  async #dispose(): Promise<void> {
    if (this.#isDisposing) return;
    this.#isDisposing = true;
    this.#stopDraining?.();
    const { name, dispose, clock, log } = this.#options;
    const stopLimit = clock.after(DISPOSE_LIMIT_MS, () => {
      log.warn(`${name}: dispose has not ended after ${DISPOSE_LIMIT_MS} ms: not waiting for it`);
      this.#disposed.resolve();
    });
    try {
      await dispose(this.value);
    } catch (error) {
      log.error(`${name}: dispose failed: ${describeThrown(error)}`);
    } finally {
      stopLimit();
      this.#disposed.resolve();
    }
  }
}

const DISPOSE_LIMIT_MS = 5_000;
