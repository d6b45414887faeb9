import type { Type } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { ConfigNotFoundError } from '../etcd-trigger.errors.js';
import type { ChangeOptions } from './changes/change-listener.js';
import type { ConfigEntry } from './cache/cache-entry.js';
import type { ConfigChange } from './changes/config-change.js';
import type { ResolvedConfigDefinition } from './definitions/config-definition.js';
import type { DefinitionFeeds, StoreStatus } from './definition-feeds.js';
import type { ConfigSubscription } from './changes/config-listeners.js';
import type { ConfigRevision, HistoryOptions } from './writing/config-history.js';
import { ConfigReader } from './config-reader.js';
import type { ConfigRef } from './changes/config-ref.js';
import { type ConfigTransaction, planTransaction } from './writing/config-transaction.js';
import type { ConfigUpdate } from './writing/config-updater.js';
import type { ConfigView } from './changes/config-view.js';
import { type DeleteOptions, type PutOptions, type WriteResult, written } from './writing/config-writer.js';
import type { WriteSide } from './writing/write-side.js';

/**
 * The typed side: configurations as validated, frozen instances of their classes, read from memory without any network. A bad value never replaces
 * a good one, and all changes of one etcd transaction inside a definition are seen at once.
 */
export class StoreService {
  readonly #feeds: DefinitionFeeds;
  readonly #reader: ConfigReader;
  readonly #writes: WriteSide;

  /** @internal */
  constructor(feeds: DefinitionFeeds, writes: WriteSide) {
    this.#feeds = feeds;
    this.#reader = new ConfigReader(feeds);
    this.#writes = writes;
  }

  /**
   * `ready`: complete and following. `stale`: complete, but interrupted or from an offline snapshot. `degraded`: started without something required or that
   * could not be read; it becomes `ready` by itself.
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
   * Asks etcd itself (linearizable), waits until readers of this process see at least what it answered, and gives what they see: as `get`, but never
   * older than the call.
   *
   * @throws InvalidOptionsError as `get`
   * @throws ConnectionError, ConnectionTimeoutError when etcd does not answer, or the store cannot follow, within `requestTimeoutMs`
   */
  async fresh<T extends object>(key: string, type: Type<T>): Promise<T | undefined> {
    this.#feeds.of(key, type);
    await this.#writes.fresh.read(this.#feeds.feedForRequest('fresh', key), key);
    return this.get(key, type);
  }

  /**
   * Validates, writes, and resolves when readers of this process see the value (`visible: false` if they do not within 5 s: the write succeeded).
   *
   * @throws InvalidConfigError when the value is not valid; nothing was sent
   * @throws InvalidOptionsError when no definition covers the key (`WatcherService.put` writes anything)
   * @throws RevisionConflictError when `ifRevision` or `ifAbsent` does not hold
   * @throws UnknownOutcomeError when the answer was lost and nothing proves what became of the write
   */
  async put(key: string, value: object, options: PutOptions = {}): Promise<WriteResult> {
    return this.#writes.writer.put(this.#feeds.feedForRequest('put', key), key, value, options);
  }

  /**
   * Deletes a configuration and resolves when readers of this process see that.
   *
   * @throws InvalidOptionsError, RevisionConflictError, UnknownOutcomeError as `put`
   */
  async delete(key: string, options: DeleteOptions = {}): Promise<WriteResult & { deleted: boolean }> {
    return this.#writes.writer.delete(this.#feeds.feedForRequest('delete', key), key, options);
  }

  /**
   * Writes what `change` makes of the current value, provided that nobody else has written in between; else `change` is called again with what is
   * there then, at most 50 times. `change` gets what readers see (frozen: return a new object), and `undefined` when there is nothing.
   *
   * @throws InvalidConfigError, InvalidOptionsError, UnknownOutcomeError as `put`, and whatever `change` throws; then nothing was written
   * @throws RevisionConflictError when others came first 50 times
   */
  async update<T extends object>(key: string, type: Type<T>, change: ConfigUpdate<T>): Promise<WriteResult> {
    this.#feeds.of(key, type);
    return this.#writes.updater.update(this.#feeds.feedForRequest('update', key), key, (current) =>
      change(current as T | undefined),
    );
  }

  /**
   * All of several writes or none: `build` says what they are, synchronously. Each value is checked by the definition of its key before anything is
   * sent, and so are etcd's limits (128 operations, one less with `outcomes`; 1.5 MiB). Resolves when every definition concerned shows its part.
   *
   * @throws InvalidConfigError, InvalidOptionsError, RevisionConflictError, UnknownOutcomeError as `put`
   * @throws WriteError when it is larger than etcd takes
   */
  async transaction(build: (tx: ConfigTransaction) => void): Promise<WriteResult> {
    const writes = await planTransaction(build, (operation, key) => this.#feeds.feedForRequest(operation, key));
    return written(await this.#writes.writer.apply('transaction', writes));
  }

  /**
   * What the key held, newest first, as far back as etcd still holds it (until its next compaction), each checked by today's class.
   * A life of the key that ended in its deletion is found too, unless it was shorter than the time since.
   *
   * @throws InvalidOptionsError when no definition covers the key, or one with another class
   */
  async history<T extends object = object>(key: string, options: HistoryOptions<T> = {}): Promise<ConfigRevision<T>[]> {
    if (options.type) this.#feeds.of(key, options.type);
    const revisions = await this.#writes.history.list(this.#feeds.feedForRequest('history', key), key, options);
    return revisions as ConfigRevision<T>[];
  }

  /**
   * Writes back what the key held at an earlier revision, byte for byte, provided that nobody else writes meanwhile.
   *
   * @throws InvalidConfigError when today's class refuses the old value
   * @throws RevisionUnavailableError when etcd no longer holds that revision, or the key did not exist then
   * @throws RevisionConflictError, UnknownOutcomeError as `put`
   */
  async rollback(key: string, revision: number): Promise<WriteResult> {
    return this.#writes.history.rollback(this.#feeds.feedForRequest('rollback', key), key, revision);
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
    await this.#feeds.waitForRevision(revision, timeoutMs);
  }
}
