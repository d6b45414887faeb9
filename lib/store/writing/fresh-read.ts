import { ConnectionTimeoutError } from '../../etcd-trigger.errors.js';
import { rawKeyOf } from '../../backend/key-record.js';
import type { KeyValueStore } from '../../backend/key-value-store.js';
import type { DefinitionFeed } from '../cache/definition-feed.js';
import { quoted } from '../../foreign/foreign-text.js';

/** Reads the key from etcd and waits until readers of this process see at least that state. */
export class FreshRead {
  readonly #keyValue: KeyValueStore;
  /** Limit of a read, in milliseconds. */
  readonly timeoutMs: number;

  constructor(keyValue: KeyValueStore, { requestTimeoutMs }: { readonly requestTimeoutMs: number }) {
    this.#keyValue = keyValue;
    this.timeoutMs = requestTimeoutMs;
  }

  /**
   * Reads the key's last write (linearizable) and waits until readers see it.
   * @throws ConnectionTimeoutError after the limit
   */
  async read(feed: DefinitionFeed, key: string): Promise<void> {
    const until = performance.now() + this.timeoutMs;
    const { record, revision } = await this.#keyValue.get(rawKeyOf(key));
    const head = record?.revision ?? 0;
    while (feed.cache.headRevision(key) !== head && feed.visibleRevision < revision) {
      const left = until - performance.now();
      if (left <= 0) {
        const message = `fresh ${quoted(key)}: revision ${revision} is not visible after ${this.timeoutMs} ms`;
        throw new ConnectionTimeoutError(message, { key, revision });
      }
      await feed.updates.next(left);
    }
  }
}
