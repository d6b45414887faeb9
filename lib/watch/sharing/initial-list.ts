import { ConnectionTimeoutError, type EtcdTriggerError } from '../../etcd-trigger.errors.js';
import { Deferred } from '../../timing/deferred.js';
import { within } from '../../timing/time-limit.js';
import type { RangeCache } from '../stream/range-cache.js';
import { onAbort } from '../../timing/on-abort.js';

export interface InitialListWait {
  /** Begins the message of the timeout, for example `watch prefix "/app/"`. */
  readonly what: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** True for failures that end the wait. After other failures the list is retried. */
  readonly isFinal: (error: EtcdTriggerError) => boolean;
}

interface Waiter<T> {
  readonly isFinal: InitialListWait['isFinal'];
  readonly list: Deferred<T>;
}

/** The initial list of a range. Each caller waits for it within its own limits. */
export class InitialList<T extends RangeCache | true = RangeCache> {
  #cache: T | undefined;
  #failure: EtcdTriggerError | undefined;
  readonly #waiters = new Set<Waiter<T>>();

  /** Undefined before the list is complete. */
  get cache(): T | undefined {
    return this.#cache;
  }

  complete(cache: T): void {
    this.#cache = cache;
    this.#failure = undefined;
    for (const { list } of this.#waiters) list.resolve(cache);
  }

  /** An attempt to list has failed. There may be further attempts. */
  fail(error: EtcdTriggerError): void {
    this.#failure = error;
    for (const { isFinal, list } of this.#waiters) if (isFinal(error)) list.reject(error);
  }

  /** There will be no further attempts. All waits fail. */
  close(error: EtcdTriggerError): void {
    for (const { list } of this.#waiters) list.reject(error);
  }

  /**
   * @throws EtcdTriggerError the first final failure
   * @throws ConnectionTimeoutError after `timeoutMs`, with the last failure as `cause`
   * @throws unknown the signal's reason
   */
  async wait({ what, timeoutMs, signal, isFinal }: InitialListWait): Promise<T> {
    signal?.throwIfAborted();
    if (this.#cache) return this.#cache;
    if (this.#failure && isFinal(this.#failure)) throw this.#failure;
    const waiter: Waiter<T> = { isFinal, list: new Deferred() };
    const stopListening = onAbort(signal, () => {
      waiter.list.reject(signal?.reason);
    });
    this.#waiters.add(waiter);
    try {
      const cache = await within(waiter.list.promise, timeoutMs);
      if (cache) return cache;
    } finally {
      this.#waiters.delete(waiter);
      stopListening();
    }
    const cause = this.#failure;
    throw new ConnectionTimeoutError(
      `${what}: etcd did not answer within ${timeoutMs} ms${cause ? ` (${cause.message})` : ''}`,
      { cause },
    );
  }
}
