import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import {
  type BackendSource,
  type BackendOptions,
  type ClusterActivity,
  type ClusterBackend,
  OPEN_BACKEND,
} from '../../backend/cluster-backend.js';
import { getBackendToken } from '../../module/etcd-trigger.tokens.js';
import { keyText, rawKeyOf } from '../../backend/key-record.js';
import type { Operation } from '../../backend/key-value-store.js';
import { keyValueOf } from '../../watch/raw-keys.js';
import type { KeyValue } from '../../watch/watch-event.js';
import type { SettlingApplication } from '../settling-application.js';
import { FakeBackend } from './fake-backend.js';
import { electLeader } from './fake-election.js';
import { FakeServer } from './fake-server.js';
import type { FakeSnapshot } from './fake-store.js';
import type { FakeValue } from './fake-value.js';
import { deleteOf, type FakePutOptions, LEASE_ADVICE, putOf } from './fake-operations.js';
import { checkArgument, checkKey, checkKeyValues, checkPrefix, isObject, shown } from '../argument-checks.js';
import { ignoreRejection, isThenable } from '../../foreign/thenable.js';

/** The part of Nest's `TestingModuleBuilder` that `replaceIn` uses. */
export interface ProviderOverrides<Builder> {
  /** Replaces a provider. */
  overrideProvider(token: unknown): ProviderReplacement<Builder>;
}

/** Result of `overrideProvider`. */
export interface ProviderReplacement<Builder> {
  /** Replaces the provider with this value. */
  useValue(value: unknown): Builder;
}

/** Writes of one transaction. */
export interface FakeTransaction {
  /** Adds a write. */
  put(key: string | Buffer, value: FakeValue, options?: FakePutOptions): void;
  /** Adds a delete. Deleting an absent key has no effect. */
  delete(key: string | Buffer): void;
}

/**
 * An in-memory etcd for unit tests, with revisions, transactions, watches, leases, compaction and faults. It passes the
 * same contract tests as real etcd. It has no sockets and no timers: applications start in milliseconds, time passes
 * only by `advance()`, and nothing has to be closed.
 */
export class FakeCluster implements BackendSource {
  readonly #server = new FakeServer();
  readonly #backends = new Set<FakeBackend>();
  readonly #empty = this.#server.snapshot();

  /** @param initial keys and values that exist at the start. They are written in one transaction. */
  constructor(initial: Readonly<Record<string, FakeValue>> = {}) {
    checkKeyValues('new FakeCluster()', initial);
    if (Object.keys(initial).length > 0) this.putAll(initial);
  }

  /** Revision of the last change. An empty store is at revision 1. */
  get revision(): number {
    return this.#server.revision;
  }

  /** The time of the virtual clock, which starts at 2000-01-01T00:00:00Z. `@ClusterCron` follows it. */
  get now(): Date {
    return new Date(this.#server.clock.wall);
  }

  /** Returns the existing keys in byte order. */
  keys(prefix = ''): string[] {
    checkPrefix('keys()', prefix);
    return this.#server
      .range('keys', { kind: 'prefix', rawKey: rawKeyOf(prefix) })
      .map(({ rawKey }) => keyText(rawKey));
  }

  /** Returns a key with its value as bytes and its revisions, or `undefined` if it is absent. */
  get(key: string | Buffer): KeyValue | undefined {
    return this.#get('get()', key);
  }

  /** Returns the value of a key as text, or `undefined` if the key is absent. */
  text(key: string | Buffer): string | undefined {
    return this.#get('text()', key)?.value.toString('utf8');
  }

  /** Returns the parsed JSON value of a key, or `undefined` if the key is absent. */
  json(key: string | Buffer): unknown {
    const text = this.#get('json()', key)?.value.toString('utf8');
    return text === undefined ? undefined : (JSON.parse(text) as unknown);
  }

  /**
   * Writes a key as another client would: faults do not affect this write. Strings and Buffers are written unchanged,
   * all other values as JSON.
   */
  put(key: string | Buffer, value: FakeValue, options: FakePutOptions = {}): { revision: number } {
    return this.#commit([putOf('put()', key, value, options)]);
  }

  /** Writes several keys in one transaction. */
  putAll(values: Readonly<Record<string, FakeValue>>): { revision: number } {
    checkKeyValues('putAll()', values);
    return this.#commit(Object.entries(values).map(([key, value]) => putOf('putAll()', key, value)));
  }

  /** Deletes a key. `deleted` is 0 if the key is absent, else 1. */
  delete(key: string | Buffer): { revision: number; deleted: number } {
    return this.#write('delete', [deleteOf('delete()', key)]);
  }

  /** Applies several writes at one revision. */
  transaction(build: (tx: FakeTransaction) => void): { revision: number } {
    checkArgument('transaction()', typeof build === 'function', 'pass a function, such as (tx) => tx.put(key, value)');
    const operations: Operation[] = [];
    const call: (tx: FakeTransaction) => unknown = build;
    const result = call({
      put: (key, value, options) => {
        operations.push(putOf('tx.put()', key, value, options));
      },
      delete: (key) => {
        operations.push(deleteOf('tx.delete()', key));
      },
    });
    const isAsync = isThenable(result);
    if (isAsync) ignoreRejection(result);
    checkArgument('transaction()', !isAsync, 'pass a function that is not asynchronous');
    return this.#commit(operations);
  }

  /** Grants a lease that no application renews. It expires by the virtual clock. Returns its id. */
  grantLease(ttlSeconds: number): string {
    const isValid = Number.isFinite(ttlSeconds) && ttlSeconds > 0;
    checkArgument('grantLease()', isValid, 'pass a positive number of seconds');
    return this.#server.leases.grant(ttlSeconds).id;
  }

  /** Revokes a lease and deletes its keys. */
  revokeLease(lease: string): void {
    checkArgument('revokeLease()', typeof lease === 'string', LEASE_ADVICE);
    this.#server.leases.revoke(lease);
  }

  /**
   * Advances the virtual clock: leases expire, requests that a frozen connection delays time out, and ticks of
   * `@ClusterCron` are due. A step over several ticks is like an interruption: all but the newest are missed.
   */
  advance(ms: number): void {
    checkArgument(`advance(${shown(ms)})`, Number.isFinite(ms) && ms >= 0, 'pass 0 or more milliseconds');
    this.#server.advance(ms);
  }

  /**
   * Makes an application the leader of an election: the present leader resigns, and all other candidates on this fake
   * stand by. Resolves when the `@OnElected` methods of the application have been called. `settled(fake)` then waits
   * until the other applications see the leader.
   *
   * @throws InvalidOptionsError if the application is no candidate in the election on this fake
   * @throws NotSettledError after 5 s, for example if the fake is disconnected or a call of the last term does not end
   */
  elect(name: string, application: SettlingApplication): Promise<void> {
    return electLeader(name, application, this.#backends);
  }

  /** Cuts the connection of every application and refuses new connections. */
  disconnect(): void {
    // Until now, the applications have renewed their leases.
    this.#server.leases.renewKeptAlive();
    this.#server.link.disconnect();
    this.#server.cut();
  }

  /** Accepts connections again. */
  reconnect(): void {
    this.#server.link.connect();
    this.#server.flushSoon();
  }

  /** Holds back all responses and events, like a black hole. Requests still arrive and are applied. */
  freeze(): void {
    this.#server.link.freeze();
  }

  /** Delivers what `freeze()` has held back. */
  thaw(): void {
    this.reconnect();
  }

  /**
   * Denies applications to read, write or start watching these keys. As in etcd, an existing watch continues until its
   * connection is cut.
   */
  deny(prefix: string): void {
    checkPrefix('deny()', prefix);
    this.#server.link.deny(rawKeyOf(prefix));
  }

  /** Reverts one `deny()`, or all of them. */
  allow(prefix?: string): void {
    if (prefix !== undefined) checkPrefix('allow()', prefix);
    this.#server.link.allow(prefix === undefined ? undefined : rawKeyOf(prefix));
    this.#server.flushSoon();
  }

  /** Compacts the history before a revision. @default the current revision */
  compact(revision = this.revision): void {
    this.#server.compact(revision);
  }

  /** Returns a backup for `restore()`. */
  snapshot(): FakeSnapshot {
    return this.#server.snapshot();
  }

  /** Replaces the store with a backup. Connections are cut. */
  restore(snapshot: FakeSnapshot): void {
    checkArgument('restore()', isSnapshot(snapshot), 'pass a result of snapshot()');
    this.#server.restore(snapshot);
  }

  /** Replaces the store with an empty one at revision 1. Connections are cut. */
  wipe(): void {
    this.restore(this.#empty);
  }

  /**
   * Replaces etcd in a testing module, regardless of the `client` option of the application's own module: `await
   * fake.replaceIn(Test.createTestingModule({ imports: [AppModule] })).compile()`.
   *
   * @param cluster name of the cluster to replace, if the application uses several
   */
  replaceIn<Builder>(builder: ProviderOverrides<Builder>, cluster?: string): Builder {
    const isBuilder = isObject(builder) && typeof builder.overrideProvider === 'function';
    checkArgument('replaceIn()', isBuilder, 'pass the result of Test.createTestingModule(), before compile()');
    const isName = cluster === undefined || typeof cluster === 'string';
    checkArgument('replaceIn()', isName, 'pass the name of the cluster as a string');
    return builder.overrideProvider(getBackendToken(cluster)).useValue(this);
  }

  /**
   * Pending work of the applications that run on this fake.
   * @internal
   */
  get activities(): ClusterActivity[] {
    return Array.from(this.#backends, ({ activity }) => activity());
  }

  /** @internal */
  [OPEN_BACKEND](options: BackendOptions): ClusterBackend {
    const backend = new FakeBackend(this.#server, options, () => {
      this.#backends.delete(backend);
    });
    this.#backends.add(backend);
    return backend;
  }

  #get(method: string, key: string | Buffer): KeyValue | undefined {
    checkKey(method, key);
    const record = this.#server.get(rawKeyOf(key));
    return record && keyValueOf(record);
  }

  #commit(operations: readonly Operation[]): { revision: number } {
    const { revision } = this.#write('transaction', operations);
    return { revision };
  }

  #write(operation: string, operations: readonly Operation[]): { revision: number; deleted: number } {
    const empty = operations.some(({ rawKey }) => rawKey === '');
    if (empty) throw new InvalidOptionsError(`${operation}: the key is empty, and etcd has no empty key`);
    const result = this.#server.commit(operation, [], operations);
    return { revision: result.revision, deleted: result.applied ? result.deleted.length : 0 };
  }
}

const isSnapshot = (snapshot: unknown): boolean =>
  isObject(snapshot) && 'base' in snapshot && snapshot.base instanceof Map && 'leases' in snapshot;
