import { ConnectionClosedError } from '../etcd-trigger.errors.js';
import { within } from '../timing/time-limit.js';
import type { KeyValueStore, Transaction, TransactionResult } from './key-value-store.js';

/** Knows the writes of the application that etcd has not answered, so that a shutdown can wait for them. */
export class RunningWrites implements KeyValueStore {
  readonly #keyValue: KeyValueStore;
  readonly #running = new Set<Promise<unknown>>();
  #isEnded = false;

  constructor(keyValue: KeyValueStore) {
    this.#keyValue = keyValue;
  }

  get(...args: Parameters<KeyValueStore['get']>): ReturnType<KeyValueStore['get']> {
    return this.#keyValue.get(...args);
  }

  /** @throws ConnectionClosedError after `end`; nothing was sent */
  async commit(transaction: Transaction): Promise<TransactionResult> {
    const { what, key } = transaction;
    if (this.#isEnded) throw new ConnectionClosedError(`${what}: the module is closed`, { key });
    const write = this.#keyValue.commit(transaction);
    this.#running.add(write);
    try {
      return await write;
    } finally {
      this.#running.delete(write);
    }
  }

  /** Refuses further writes. Resolves when etcd has answered those that are running, or after the limit. */
  async end(withinMs: number): Promise<void> {
    this.#isEnded = true;
    if (this.#running.size > 0) await within(Promise.allSettled(this.#running), withinMs);
  }
}
