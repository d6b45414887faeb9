import { ConnectionTimeoutError, type EtcdTriggerError } from '../../etcd-trigger.errors.js';
import type { RangeCache } from '../stream/range-cache.js';

export interface InitialListWait {
  /** For the message of the timeout, as `watch prefix "/app/"`. */
  readonly what: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Which failures end the waiting; after the others the list is tried again. */
  readonly isFinal: (error: EtcdTriggerError) => boolean;
}

interface Waiter {
  readonly ended: (error: EtcdTriggerError) => void;
  readonly succeeded: (cache: RangeCache) => void;
  readonly failed: (error: EtcdTriggerError) => void;
}

/** The first list of a range, for those who wait for it, each with limits of its own. */
export class InitialList {
  #cache: RangeCache | undefined;
  #failure: EtcdTriggerError | undefined;
  readonly #waiters = new Set<Waiter>();

  get cache(): RangeCache | undefined {
    return this.#cache;
  }

  succeeded(cache: RangeCache): void {
    this.#cache = cache;
    this.#failure = undefined;
    for (const waiter of [...this.#waiters]) waiter.succeeded(cache);
  }

  failed(error: EtcdTriggerError): void {
    this.#failure = error;
    for (const waiter of [...this.#waiters]) waiter.failed(error);
  }

  /** There will be no list: nobody waits any longer. */
  ended(error: EtcdTriggerError): void {
    for (const waiter of [...this.#waiters]) waiter.ended(error);
  }

  /**
   * @throws EtcdTriggerError the first final failure
   * @throws ConnectionTimeoutError after `timeoutMs`, with the last failure as `cause`
   * @throws unknown the signal's reason
   */
  wait({ what, timeoutMs, signal, isFinal }: InitialListWait): Promise<RangeCache> {
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    if (this.#cache) return Promise.resolve(this.#cache);
    if (this.#failure && isFinal(this.#failure)) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      const end = (): void => {
        this.#waiters.delete(waiter);
        clearTimeout(timer);
        signal?.removeEventListener('abort', aborted);
      };
      const waiter: Waiter = {
        succeeded: (cache) => {
          end();
          resolve(cache);
        },
        failed: (error) => {
          if (isFinal(error)) waiter.ended(error);
        },
        ended: (error) => {
          end();
          reject(error);
        },
      };
      const aborted = (): void => {
        end();
        reject(signal?.reason as Error);
      };
      const timer = setTimeout(() => {
        end();
        const cause = this.#failure;
        reject(
          new ConnectionTimeoutError(
            `${what}: etcd did not answer within ${timeoutMs} ms${cause ? ` (${cause.message})` : ''}`,
            { cause },
          ),
        );
      }, timeoutMs);
      signal?.addEventListener('abort', aborted);
      this.#waiters.add(waiter);
    });
  }
}
