import { checkFunction, checkInteger, checkKnown, checkMilliseconds, checkText } from '../option-checks.js';
import type { Observable } from 'rxjs';
import { ConfigNotFoundError, InvalidOptionsError } from '../etcd-trigger.errors.js';
import type { ChangeOptions } from './changes/change-listener.js';
import type { ConfigEntry } from './cache/cache-entry.js';
import type { ConfigChange } from './changes/config-change.js';
import type { DefinitionFeed } from './cache/definition-feed.js';
import type { DefinitionFeeds, StoreStatus } from './definition-feeds.js';
import type { ConfigRefusal } from './changes/refusal-listeners.js';
import type { ConfigSubscription } from './changes/config-listeners.js';
import type { ConfigRevision, HistoryOptions, RollbackOptions } from './writing/config-history.js';
import { LayeredFeed } from './layers/layered-feed.js';
import { ConfigReader, type RequestedConfig } from './config-reader.js';
import type { Joined, JoinParts } from './joined-config.js';
import type { ConfigRef } from './config-ref.js';
import type { ConfigTransaction, ValueOnly } from '../config-transaction.js';
import type { AuditQuery } from './audit/audit-reader.js';
import type { AuditRecord } from './audit/audit-record.js';
import { planTransaction, type TransactionOptions, transactionOrigin } from './writing/planned-transaction.js';
import { writeArguments } from './writing/write-arguments.js';
import type { ConfigUpdate, UpdateOptions } from './writing/config-updater.js';
import type { ConfigView } from './changes/config-view.js';
import { type PreparedWrite, type WriteResult, written } from './writing/config-writer.js';
import type { DeleteOptions, PutOptions } from './writing/write-options.js';
import type { WriteSide } from './writing/write-side.js';
import { quoted } from '../foreign/foreign-text.js';
import type { SchemaInput, SchemaOutput, StandardSchema } from '../dto/standard-schema.js';
import { valueName, type ValueType } from '../dto/value-type.js';
import type { Type } from '@nestjs/common';

/**
 * Typed configuration: reads validated, frozen values of DTO classes and schemas from memory, and writes them to etcd. An
 * invalid value never replaces a valid one. All changes of one etcd transaction within a definition become visible in
 * one step.
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
   * `ready`: complete and following. `stale`: complete, but interrupted, from an offline snapshot, while an update
   * fails unexpectedly, while secrets of references cannot be refreshed, or after the process was suspended, until its
   * values are compared with etcd. `degraded`: started without a required configuration, or with one that is invalid or
   * unreachable; becomes `ready` when it is complete.
   */
  get status(): StoreStatus {
    return this.#feeds.status;
  }

  /**
   * The status now and after every change, as an observable; changes within one step are one. Completes after `closed`.
   * Errors of subscribers are logged by class and place, and counted.
   */
  get status$(): Observable<StoreStatus> {
    return this.#feeds.statusListeners.changes$;
  }

  /**
   * Returns the configuration of a key from memory, `undefined` if there is none. Frozen; the same object until it
   * changes.
   * @throws InvalidOptionsError if no definition covers the key, or its definition has another class
   */
  get<T extends object>(key: string, type: ValueType<T>): T | undefined {
    return this.#feeds.read(key, type) as T | undefined;
  }

  /**
   * Like `get`, but never returns `undefined`.
   * @throws ConfigNotFoundError if there is no configuration
   */
  getOrThrow<T extends object>(key: string, type: ValueType<T>): T {
    const value = this.get(key, type);
    if (value === undefined) {
      const { violations, rejectedRevision } = this.entry(key, type);
      const why = violations
        ? `the value in etcd is not a valid ${valueName(type)}`
        : `there is no ${valueName(type)} in etcd`;
      throw new ConfigNotFoundError(`${quoted(key)}: ${why}`, { key, revision: rejectedRevision });
    }
    return value;
  }

  /**
   * Returns the configuration with its state, revision and source, and the violations of a newer value that was
   * rejected.
   * @throws InvalidOptionsError as `get`
   */
  entry<T extends object>(key: string, type: ValueType<T>): ConfigEntry<T> {
    return this.#feeds.of(key, type).entry(key) as ConfigEntry<T>;
  }

  /**
   * Returns all configurations of a class under a prefix, sorted by key.
   * @throws InvalidOptionsError if no definition of this class has keys under the prefix
   */
  entries<T extends object>(prefix: string, type: ValueType<T>): ReadonlyMap<string, T> {
    return this.#reader.entries(prefix, type);
  }

  /** Returns the keys with a configuration, sorted. */
  keys(prefix = ''): string[] {
    return this.#reader.keys(prefix);
  }

  /** Returns an immutable view of the current configurations under a prefix, without copying them. */
  snapshot(prefix = ''): ConfigView {
    return this.#reader.view(prefix);
  }

  /**
   * Returns a reference to a projection of a configuration. `project` is called once per state of the configuration. If
   * its result equals the previous one (`isDeepStrictEqual` of `node:util`: plain data by content, functions by
   * identity), the previous result stays and `changes$` does not emit. Return plain data, and do not modify it. `value`
   * throws the errors of `project`; `changes$` logs them by class and location and calls `project` again after the next
   * change.
   *
   * @throws InvalidOptionsError as `get`
   */
  select<T extends object, R>(key: string, type: ValueType<T>, project: (config: T | undefined) => R): ConfigRef<R> {
    return this.#reader.select(key, type, project);
  }

  /**
   * Returns a reference to several keys that change together, also keys of different definitions. It shows only states
   * that existed at one revision: all writes of a transaction, or none of them. A change is shown when the other keys
   * are known to be as new, which may take a request to etcd. While the value of one key is invalid, the whole join keeps
   * its last state. It cannot be written.
   *
   * @throws InvalidOptionsError for an invalid part, or as `get`
   */
  join<const Parts extends JoinParts>(parts: Parts): ConfigRef<Joined<Parts>, never> {
    return this.#reader.join(parts) as ConfigRef<Joined<Parts>, never>;
  }

  /**
   * Calls a function in which `get`, `getOrThrow`, `entries`, `keys`, `snapshot` and the `value` of every reference show
   * one state of all definitions, which existed at one revision, until its promise has settled: what it has read, it
   * reads again. A function within it reads the same state. `entry`, `fresh`, writes, listeners and what it leaves running
   * see the newest values. A definition that etcd has refused to show for some time is left out of the comparison.
   */
  async pinned<R>(run: () => R | Promise<R>): Promise<R> {
    checkFunction('the argument of pinned', run);
    return this.#feeds.pinnedReads.run(run);
  }

  /** @internal */
  ref(requested: RequestedConfig): ConfigRef<unknown> {
    const { type } = requested;
    return this.#reader.ref(requested, (key) => ({
      put: (value, options) => this.#put(key, type, value, options),
      update: (change, options) => this.#update(key, type, change, options),
    }));
  }

  /**
   * Like `get`, but never older than the call: reads the key from etcd (linearizable) and waits until readers of this
   * process see at least that state.
   *
   * @throws InvalidOptionsError as `get`
   * @throws ConnectionError, ConnectionTimeoutError if etcd does not answer, or the store does not catch up, within
   * `requestTimeoutMs`
   */
  async fresh<T extends object>(key: string, type: ValueType<T>): Promise<T | undefined> {
    this.#feeds.of(key, type);
    const feed = this.#feeds.feedForRequest('fresh', key);
    if (feed instanceof LayeredFeed) await this.#feeds.refresh(feed, key, this.#writes.fresh.timeoutMs);
    else await this.#writes.fresh.read(feed, key);
    return this.#feeds.pins.outside(() => this.get(key, type));
  }

  /**
   * Validates a value and replaces the document of the key by it. Resolves when readers of this process see it, or with
   * `visible: false` after 5 s; the write has succeeded in both cases. With the class or the schema of the key, the
   * compiler checks the value. With the class, the value may be any object with the properties of the class; without it,
   * an object that is not an instance of the class has the property names and the format of the document.
   *
   * @throws InvalidConfigError if the value is invalid; nothing was sent
   * @throws InvalidOptionsError if no definition covers the key (`WatcherService.put` writes any key), or its definition
   * has another class or schema
   * @throws RevisionConflictError if `ifRevision` or `ifAbsent` does not hold
   * @throws FenceLostError if this instance no longer owns what `fence` stands for
   * @throws UnknownOutcomeError if the answer was lost and nothing proves whether the write was applied
   */
  put<T extends object>(key: string, type: Type<T>, value: NoInfer<T>, options?: PutOptions): Promise<WriteResult>;
  put<S extends StandardSchema>(
    key: string,
    schema: S,
    value: SchemaInput<S>,
    options?: PutOptions,
  ): Promise<WriteResult>;
  put<V extends object>(key: string, value: ValueOnly<V>, options?: PutOptions): Promise<WriteResult>;
  async put(key: string, ...given: readonly unknown[]): Promise<WriteResult> {
    checkText('put: the key', key);
    const { type, value, options } = writeArguments<PutOptions>(key, given);
    return this.#put(key, type, value, options);
  }

  /**
   * Deletes a configuration. Resolves when readers of this process see the deletion.
   *
   * @throws InvalidOptionsError, RevisionConflictError, FenceLostError, UnknownOutcomeError as `put`
   */
  async delete(key: string, options: DeleteOptions = {}): Promise<WriteResult & { deleted: boolean }> {
    return this.#writes.delete(this.#feeds.feedForRequest('delete', key), key, options);
  }

  /**
   * Writes the result of `change` for the current value by compare-and-swap. After a conflict `change` is called again
   * with the new value, at most 50 times. `change` receives the frozen value that readers see, or `undefined`, and must
   * return a new object: an instance of the class, an object with its properties such as `{ ...current }`, or the input
   * of the schema. Properties of the document that the class does not know are kept, unless the definition has
   * `unknown: 'refuse'`; so are properties that the output of the schema does not have, unless the value would change.
   * Lists are replaced.
   *
   * @throws InvalidConfigError, InvalidOptionsError, FenceLostError, UnknownOutcomeError as `put`, and the errors of
   * `change`; then nothing was written
   * @throws RevisionConflictError after 50 conflicts
   */
  update<T extends object>(
    key: string,
    type: Type<T>,
    change: ConfigUpdate<T>,
    options?: UpdateOptions,
  ): Promise<WriteResult>;
  update<S extends StandardSchema<unknown, object>>(
    key: string,
    schema: S,
    change: ConfigUpdate<SchemaOutput<S>, SchemaInput<S>>,
    options?: UpdateOptions,
  ): Promise<WriteResult>;
  async update(
    key: string,
    type: ValueType,
    change: ConfigUpdate<never, unknown>,
    options?: UpdateOptions,
  ): Promise<WriteResult> {
    return this.#update(key, type, change as ConfigUpdate<object>, options);
  }

  /**
   * Applies several writes, all or none; `build` adds them synchronously. All values, and the limits of etcd (128
   * operations, one less with `outcomes`, 63 with `audit`; 1.5 MiB), are checked before anything is sent. Resolves when
   * readers of this process see all of the writes.
   *
   * @throws InvalidConfigError, InvalidOptionsError, RevisionConflictError, FenceLostError, UnknownOutcomeError as `put`
   * @throws WriteError if the transaction exceeds the limits of etcd
   */
  async transaction(build: (tx: ConfigTransaction) => void, options: TransactionOptions = {}): Promise<WriteResult> {
    const origin = transactionOrigin(options);
    const planned = await planTransaction(build, this.#feedFor.bind(this));
    return written(await this.#writes.layers.apply({ what: 'transaction', ...planned, origin }));
  }

  /**
   * Plans the writes of a transaction that the caller sends together with others. There may be no writes. `group`: the
   * handler group that writes.
   * @internal
   */
  async planEffects(what: string, build: (tx: ConfigTransaction) => void, group?: string): Promise<PreparedWrite> {
    checkFunction(`the argument of ${what}`, build);
    const feedFor = (operation: string, key: string, type: ValueType | undefined): DefinitionFeed => {
      const feed = this.#feedFor(operation, key, type);
      if (!(feed instanceof LayeredFeed)) return feed;
      throw new InvalidOptionsError(`${what}: ${feed.subject} has layers, and cannot be written in it`);
    };
    const planned = await planTransaction(build, feedFor, { mayBeEmpty: true });
    return this.#writes.prepare({ what, ...planned, origin: { group } });
  }

  /**
   * Returns the values of a key, newest first, as far back as etcd has not compacted them. Each is validated by the
   * current class. Values before a deletion are included, unless the key existed for a shorter time than the time since
   * its deletion.
   *
   * @throws InvalidOptionsError if no definition covers the key, or its definition has another class
   */
  async history<T extends object = object>(key: string, options: HistoryOptions<T> = {}): Promise<ConfigRevision<T>[]> {
    const revisions = await this.#writes.history.list(this.#feedFor('history', key, options.type), key, options);
    return revisions as ConfigRevision<T>[];
  }

  /**
   * Writes the bytes of the key at an earlier revision, if no other client writes the key in the meantime.
   *
   * @throws InvalidConfigError if the current class rejects the old value
   * @throws RevisionUnavailableError if etcd has compacted the revision, or the key did not exist at that revision
   * @throws RevisionConflictError, UnknownOutcomeError as `put`
   */
  async rollback(key: string, revision: number, options: RollbackOptions = {}): Promise<WriteResult> {
    return this.#writes.history.rollback(this.#feeds.feedForRequest('rollback', key), key, revision, options);
  }

  /**
   * Returns the records of the writes of a key, newest first: who wrote, when, why, and which properties changed. For a
   * definition with layers these are the writes of all layers. The key needs no definition. Reads only what the audit
   * trail has kept; writes of other programs have no records.
   *
   * @throws InvalidOptionsError without the option `audit`, or for an invalid option
   * @throws PermissionDeniedError without the permission to read the prefix of the records
   * @throws ConnectionError, ConnectionTimeoutError if etcd does not answer
   */
  async audit(key: string, query: AuditQuery = {}): Promise<AuditRecord[]> {
    checkText('audit: the key', key);
    const { audit } = this.#writes;
    if (!audit) {
      throw new InvalidOptionsError(
        `audit ${quoted(key)}: there is no audit trail; add audit: { prefix: '/audit/my-app' } to the options of EtcdTriggerModule`,
        { key },
      );
    }
    return audit.read(key, this.#feeds.definitions.governing(key)?.layers ?? [key], query);
  }

  /**
   * Calls the listener for the existing configurations under the prefix (`origin: 'initial'`), in a microtask, and then
   * for every change of the value that readers see. Without `debounceMs` that call is synchronous, in the step of the
   * change.
   * Errors of the listener are logged and do not affect other listeners. `type` is the class of `value` and `previous`.
   *
   * @throws InvalidOptionsError for an invalid option
   */
  onChange<T extends object = object>(
    prefix: string,
    listener: (change: ConfigChange<T>) => unknown,
    options: ChangeOptions<T> = {},
  ): ConfigSubscription {
    return this.#reader.onChange(prefix, listener as (change: ConfigChange) => unknown, options);
  }

  /**
   * Like `onChange`, as a cold observable: each subscriber first receives the existing configurations. Completes when
   * the module closes.
   */
  changes$<T extends object = object>(prefix = '', options: ChangeOptions<T> = {}): Observable<ConfigChange<T>> {
    return this.#reader.changes$(prefix, options) as Observable<ConfigChange<T>>;
  }

  /**
   * Calls the listener for each key under the prefix whose current value in etcd is invalid, in a microtask, and then
   * whenever a value is refused, or a refused one is replaced by a valid value or deleted. A refusal contains the paths
   * and constraints of its violations, and no value. Errors of the listener are logged and do not affect others.
   *
   * @throws InvalidOptionsError for an invalid argument
   */
  onRefused(prefix: string, listener: (refusal: ConfigRefusal) => unknown): ConfigSubscription {
    return this.#feeds.refusals.add(prefix, listener);
  }

  /**
   * Resolves when readers of this process see all changes up to a revision, such as the result of a write in another
   * process.
   * @throws InvalidOptionsError for an invalid argument
   * @throws ConnectionTimeoutError after `timeoutMs` (default 5,000)
   */
  async waitForRevision(revision: number, options: { readonly timeoutMs?: number | undefined } = {}): Promise<void> {
    checkInteger('waitForRevision: the revision', revision, { min: 0 });
    checkKnown(options, { timeoutMs: true }, { owner: ' of waitForRevision' });
    const { timeoutMs = 5_000 } = options;
    checkMilliseconds('waitForRevision: timeoutMs', timeoutMs, 0);
    await this.#feeds.waitForRevision(revision, timeoutMs);
  }

  async #put(key: string, type: ValueType | undefined, value: unknown, options?: PutOptions): Promise<WriteResult> {
    return this.#writes.put(
      this.#feedFor('put', key, type),
      key,
      { value, form: type ? 'class' : 'document' },
      options ?? {},
    );
  }

  async #update(
    key: string,
    type: ValueType,
    change: ConfigUpdate<object>,
    options: UpdateOptions = {},
  ): Promise<WriteResult> {
    const feed = this.#feedFor('update', key, type);
    checkFunction(`update ${quoted(key)}: the change`, change);
    return this.#writes.update(feed, key, change, options);
  }

  /** @throws InvalidOptionsError if no definition covers the key, or its definition has another class or schema */
  #feedFor(operation: string, key: string, type: ValueType | undefined): DefinitionFeed {
    if (type) this.#feeds.of(key, type);
    return this.#feeds.feedForRequest(operation, key);
  }
}
