import { ConnectionClosedError } from '../etcd-trigger.errors.js';
import { Deferred } from '../timing/deferred.js';
import { within } from '../timing/time-limit.js';
import type { KeyValueStore, Transaction, TransactionResult } from './key-value-store.js';

/** Counts the writes of the application that etcd has not answered, so that a shutdown can wait for them. */
export class RunningWrites implements KeyValueStore {
  readonly #keyValue: KeyValueStore;
  readonly #idle = new Deferred();
  #running = 0;
  #isEnded = false;

  constructor(keyValue: KeyValueStore) {
    this.#keyValue = keyValue;
  }

  get(...args: Parameters<KeyValueStore['get']>): ReturnType<KeyValueStore['get']> {
    return this.#keyValue.get(...args);
  }

  /** @throws ConnectionClosedError after `end`; nothing was sent */
  commit(transaction: Transaction): Promise<TransactionResult> {
    const { what, key } = transaction;
    if (this.#isEnded) return Promise.reject(new ConnectionClosedError(`${what}: the module is closed`, { key }));
    const write = this.#keyValue.commit(transaction);
    this.#running += 1;
    write.then(this.#answered, this.#answered);
    return write;
  }

  /** Refuses further writes. Resolves when etcd has answered those that are running, or after the limit. */
  async end(withinMs: number): Promise<void> {
    this.#isEnded = true;
    if (this.#running > 0) await within(this.#idle.promise, withinMs);
  }

  readonly #answered = (): void => {
    this.#running -= 1;
    if (this.#isEnded && this.#running === 0) this.#idle.resolve();
  };
}
