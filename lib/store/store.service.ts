import type { Type } from '@nestjs/common';
import { Observable } from 'rxjs';
import { ConfigNotFoundError } from '../etcd-trigger.errors.js';
import type { ConfigChange, ConfigEntry } from './config-cache.js';
import type { ConfigFeeds, StoreStatus } from './config-feeds.js';
import type { ConfigSubscription } from './config-listeners.js';
import type { ConfigWriter, DeleteOptions, PutOptions } from './config-writer.js';

/**
 * The typed side: configurations as validated, frozen instances of their classes, read from memory without any network. A bad value never replaces
 * a good one, and all changes of one etcd transaction inside a definition are seen at once.
 */
export class StoreService {
  readonly #feeds: ConfigFeeds;
  readonly #writer: ConfigWriter;

  /** @internal */
  constructor(feeds: ConfigFeeds, writer: ConfigWriter) {
    this.#feeds = feeds;
    this.#writer = writer;
  }

  /**
   * `ready`: complete and following. `stale`: complete, but the connection is interrupted. `degraded`: started without something that is required or
   * could not be read.
   */
  get status(): StoreStatus {
    return this.#feeds.status;
  }

  /**
   * The configuration under a key, from memory: frozen, the same object until it changes; `undefined` when there is none.
   * @throws InvalidOptionsError when no definition covers the key, or one with another class
   */
  get<T extends object>(key: string, type: Type<T>): T | undefined {
    return this.#feeds.read(key, type) as T | undefined;
  }

  /**
   * Like `get`.
   * @throws ConfigNotFoundError when there is none
   */
  getOrThrow<T extends object>(key: string, type: Type<T>): T {
    const value = this.get(key, type);
    if (value === undefined) {
      const { violations, rejectedRevision } = this.entry(key, type);
      const why = violations ? `what etcd holds is not a valid ${type.name}` : `etcd holds no ${type.name} there`;
      throw new ConfigNotFoundError(`"${key}": ${why}`, { key, revision: rejectedRevision });
    }
    return value;
  }

  /**
   * The configuration and what is known about it: its state, revision, source, and why a newer value was refused.
   * @throws InvalidOptionsError as `get`
   */
  entry<T extends object>(key: string, type: Type<T>): ConfigEntry<T> {
    return this.#feeds.of(key, type).cache.entry(key) as ConfigEntry<T>;
  }

  /**
   * All configurations of a class under a prefix, by key, sorted.
   * @throws InvalidOptionsError when no definition with this class lies there
   */
  entries<T extends object>(prefix: string, type: Type<T>): ReadonlyMap<string, T> {
    const feeds = this.#feeds.under(prefix).filter(({ definition }) => definition.type === type);
    if (feeds.length === 0) this.#feeds.definitions.ofPrefix(prefix, type);
    const [first, ...others] = feeds;
    if (first && others.length === 0) return first.cache.entries(prefix) as ReadonlyMap<string, T>;
    return new Map(feeds.flatMap(({ cache }) => [...(cache.entries(prefix) as ReadonlyMap<string, T>)]).sort(byKey));
  }

  /** Keys that have a configuration, sorted. */
  keys(prefix = ''): string[] {
    const feeds = this.#feeds.under(prefix);
    const keys = feeds.flatMap(({ cache }) => cache.keys(prefix));
    return feeds.length > 1 ? keys.sort() : keys;
  }

  /**
   * Validates, writes, and resolves when readers of this process see the value (`visible: false` if they do not within 5 s: the write succeeded).
   *
   * @throws InvalidConfigError when the value is not valid; nothing was sent
   * @throws InvalidOptionsError when no definition covers the key (`WatcherService.put` writes anything)
   * @throws RevisionConflictError when `ifRevision` or `ifAbsent` does not hold
   * @throws UnknownOutcomeError when the answer was lost
   */
  async put(key: string, value: object, options: PutOptions = {}): Promise<{ revision: number; visible: boolean }> {
    return this.#writer.put(this.#feeds.toWrite('put', key), key, value, options);
  }

  /**
   * Deletes a configuration and resolves when readers of this process see that.
   *
   * @throws InvalidOptionsError, RevisionConflictError, UnknownOutcomeError as `put`
   */
  async delete(
    key: string,
    options: DeleteOptions = {},
  ): Promise<{ revision: number; deleted: boolean; visible: boolean }> {
    return this.#writer.delete(this.#feeds.toWrite('delete', key), key, options);
  }

  /**
   * Calls the listener with what exists under the prefix (`origin: 'initial'`), then with every change of what readers see. Called synchronously, in
   * the step of the change; what it throws is logged and harms nobody.
   */
  onChange(prefix: string, listener: (change: ConfigChange) => void): ConfigSubscription {
    return this.#feeds.listeners.add(prefix, listener);
  }

  /** The same as an observable; cold, each subscriber gets what exists first. Completes when the module closes. */
  changes$(prefix = ''): Observable<ConfigChange> {
    return new Observable((subscriber) => {
      const subscription = this.#feeds.listeners.add(
        prefix,
        (change) => {
          subscriber.next(change);
        },
        () => {
          subscriber.complete();
        },
      );
      return () => {
        subscription.close();
      };
    });
  }

  /**
   * Resolves when readers of this process see everything up to a revision, as it was returned by a write anywhere.
   * @throws ConnectionTimeoutError after `timeoutMs` (default 5,000)
   */
  async waitForRevision(revision: number, { timeoutMs = 5_000 }: { readonly timeoutMs?: number } = {}): Promise<void> {
    await this.#feeds.passed(revision, timeoutMs);
  }
}

const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1);
