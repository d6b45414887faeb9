import type { Type } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { ConfigNotFoundError } from '../etcd-trigger.errors.js';
import type { ChangeOptions } from './change-listener.js';
import type { ConfigEntry } from './config-cache.js';
import type { ConfigChange } from './config-change.js';
import type { ResolvedConfigDefinition } from './config-definition.js';
import type { ConfigFeeds, StoreStatus } from './config-feeds.js';
import type { ConfigSubscription } from './config-listeners.js';
import { ConfigReader } from './config-reader.js';
import type { ConfigRef } from './config-ref.js';
import type { ConfigView } from './config-view.js';
import type { ConfigWriter, DeleteOptions, PutOptions } from './config-writer.js';

/**
 * The typed side: configurations as validated, frozen instances of their classes, read from memory without any network. A bad value never replaces
 * a good one, and all changes of one etcd transaction inside a definition are seen at once.
 */
export class StoreService {
  readonly #feeds: ConfigFeeds;
  readonly #reader: ConfigReader;
  readonly #writer: ConfigWriter;

  /** @internal */
  constructor(feeds: ConfigFeeds, writer: ConfigWriter) {
    this.#feeds = feeds;
    this.#reader = new ConfigReader(feeds);
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
    return this.#reader.entries(prefix, type);
  }

  /** Keys that have a configuration, sorted. */
  keys(prefix = ''): string[] {
    return this.#reader.keys(prefix);
  }

  /** All configurations under a prefix as they are now, for good, whatever the store does afterwards. Costs nothing per key. */
  snapshot(prefix = ''): ConfigView {
    return this.#reader.view(prefix);
  }

  /**
   * What a function makes of a configuration, always current: called once for each state of it. While results are equal (`isDeepStrictEqual` of
   * `node:util`: plain data by content, functions by identity) the first of them stays and `changes$` says nothing. Give plain data, and do not change it.
   * What the function throws, `value` throws; in `changes$` it is logged by class and place, and tried again after the next change.
   *
   * @throws InvalidOptionsError as `get`
   */
  select<T extends object, R>(key: string, type: Type<T>, project: (config: T | undefined) => R): ConfigRef<R> {
    return this.#reader.select(key, type, project);
  }

  /** @internal */
  ref(definition: Pick<ResolvedConfigDefinition, 'target' | 'type'>): ConfigRef<unknown> {
    return this.#reader.ref(definition);
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
   * the step of the change, unless `debounceMs` says otherwise; what it throws is logged and harms nobody. With `type`, `value` and `previous` are of it.
   *
   * @throws InvalidOptionsError for an option that cannot work
   */
  onChange<T extends object = object>(
    prefix: string,
    listener: (change: ConfigChange<T>) => unknown,
    options: ChangeOptions<T> = {},
  ): ConfigSubscription {
    return this.#reader.onChange(prefix, listener as (change: ConfigChange) => unknown, options);
  }

  /** The same as an observable; cold, each subscriber gets what exists first. Completes when the module closes. */
  changes$<T extends object = object>(prefix = '', options: ChangeOptions<T> = {}): Observable<ConfigChange<T>> {
    return this.#reader.changes$(prefix, options) as Observable<ConfigChange<T>>;
  }

  /**
   * Resolves when readers of this process see everything up to a revision, as it was returned by a write anywhere.
   * @throws ConnectionTimeoutError after `timeoutMs` (default 5,000)
   */
  async waitForRevision(revision: number, { timeoutMs = 5_000 }: { readonly timeoutMs?: number } = {}): Promise<void> {
    await this.#feeds.passed(revision, timeoutMs);
  }
}
