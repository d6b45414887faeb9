import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import type { ClusterActivity } from '../../backend/cluster-backend.js';
import {
  type BackendSource,
  type BackendOptions,
  type ClusterBackend,
  OPEN_BACKEND,
} from '../../backend/cluster-backend.js';
import { getBackendToken } from '../../module/etcd-trigger.tokens.js';
import { rawKeyOf, keyText } from '../../backend/key-record.js';
import type { Operation } from '../../backend/key-value-store.js';
import { keyValueOf } from '../../watch/raw-keys.js';
import type { KeyValue } from '../../watch/watch-event.js';
import { FakeBackend } from './fake-backend.js';
import { FakeServer } from './fake-server.js';
import type { FakeSnapshot } from './fake-store.js';
import { bytesOf, type FakeValue } from './fake-value.js';

/** What `Test.createTestingModule()` returns, as far as it is needed here. */
export interface ProviderOverrides<Builder> {
  /** Another provider takes the place of this one. */
  overrideProvider(token: unknown): ProviderReplacement<Builder>;
}

/** What takes the place of a provider. */
export interface ProviderReplacement<Builder> {
  /** This value, as it is. */
  useValue(value: unknown): Builder;
}

/** What goes with a value. */
export interface FakePutOptions {
  /** Of `grantLease()`. */
  readonly lease?: string | undefined;
}

/** Writes that happen together. */
export interface FakeTransaction {
  /** Adds a write. */
  put(key: string | Buffer, value: FakeValue, options?: FakePutOptions): void;
  /** Adds a deletion; of what is absent it does nothing. */
  delete(key: string | Buffer): void;
}

/**
 * An etcd in memory for unit tests: revisions, transactions, watches, leases, compaction - and faults. It passes the same contract suite as real etcd.
 * It has no sockets and no timers: an application on it starts in milliseconds, time passes by `advance()`, and nothing needs to be closed.
 */
export class FakeCluster implements BackendSource {
  readonly #server = new FakeServer();
  readonly #backends = new Set<FakeBackend>();
  readonly #empty = this.#server.snapshot();

  /** `initial`: what it holds, written in one transaction. */
  constructor(initial: Readonly<Record<string, FakeValue>> = {}) {
    if (Object.keys(initial).length > 0) this.putAll(initial);
  }

  /** Of the last change; an empty store is at 1. */
  get revision(): number {
    return this.#server.revision;
  }

  /** Keys that are there, sorted. */
  keys(prefix = ''): string[] {
    return this.#server
      .range('keys', { kind: 'prefix', rawKey: rawKeyOf(prefix) })
      .map(({ rawKey }) => keyText(rawKey));
  }

  /** A key with its value as bytes and its revisions; `undefined` when it is absent. */
  get(key: string | Buffer): KeyValue | undefined {
    const record = this.#server.get(rawKeyOf(key));
    return record && keyValueOf(record);
  }

  /** The value of a key as text; `undefined` when it is absent. */
  text(key: string | Buffer): string | undefined {
    return this.get(key)?.value.toString('utf8');
  }

  /** The value of a key, parsed; `undefined` when it is absent. */
  json(key: string | Buffer): unknown {
    const text = this.text(key);
    return text === undefined ? undefined : (JSON.parse(text) as unknown);
  }

  /**
   * Writes as somebody else than the application does: no fault touches it. Strings and Buffers are written as they are, everything else as JSON.
   */
  put(key: string | Buffer, value: FakeValue, options: FakePutOptions = {}): { revision: number } {
    return this.transaction((tx) => {
      tx.put(key, value, options);
    });
  }

  /** Writes several keys in one transaction. */
  putAll(values: Readonly<Record<string, FakeValue>>): { revision: number } {
    return this.transaction((tx) => {
      for (const [key, value] of Object.entries(values)) tx.put(key, value);
    });
  }

  /** Says how many keys there were to delete: 0 or 1. */
  delete(key: string | Buffer): { revision: number; deleted: number } {
    return this.#write('delete', [{ type: 'delete', rawKey: rawKeyOf(key) }]);
  }

  /** Several writes at one revision. */
  transaction(build: (tx: FakeTransaction) => void): { revision: number } {
    const operations: Operation[] = [];
    build({
      put: (key, value, { lease } = {}) => {
        operations.push({ type: 'put', rawKey: rawKeyOf(key), value: bytesOf(keyText(rawKeyOf(key)), value), lease });
      },
      delete: (key) => {
        operations.push({ type: 'delete', rawKey: rawKeyOf(key) });
      },
    });
    const { revision } = this.#write('transaction', operations);
    return { revision };
  }

  /** A lease of somebody else, which ends when the virtual clock says so. */
  grantLease(ttlSeconds: number): string {
    return this.#server.leases.grant(ttlSeconds).id;
  }

  /** Ends a lease now, and deletes its keys. */
  revokeLease(lease: string): void {
    this.#server.leases.revoke(lease);
  }

  /** Lets time pass for the cluster: leases end, and requests that a frozen link holds reach their limit. */
  advance(ms: number): void {
    if (!(ms >= 0)) throw new InvalidOptionsError(`advance(${ms}): give milliseconds of 0 or more`);
    this.#server.clock.advance(ms);
  }

  /** The connection of every application is cut, and new ones are refused. */
  disconnect(): void {
    this.#server.link.disconnect();
    this.#server.cut();
  }

  /** Connections are accepted again. */
  reconnect(): void {
    this.#server.link.connect();
    this.#server.flushSoon();
  }

  /** Nothing comes back from the cluster any more, as from a black hole; what an application sends is applied. */
  freeze(): void {
    this.#server.link.freeze();
  }

  /** What was held back comes now. */
  thaw(): void {
    this.reconnect();
  }

  /** Applications may neither read nor write nor begin to watch these keys. As with etcd, a watch that runs goes on until its connection is cut. */
  deny(prefix: string): void {
    this.#server.link.deny(rawKeyOf(prefix));
  }

  /** Takes back a `deny`, or all of them. */
  allow(prefix?: string): void {
    this.#server.link.allow(prefix === undefined ? undefined : rawKeyOf(prefix));
    this.#server.flushSoon();
  }

  /** Forgets the history before a revision. @default the newest */
  compact(revision = this.revision): void {
    this.#server.compact(revision);
  }

  /** What the cluster holds, to be given to `restore()` later. */
  snapshot(): FakeSnapshot {
    return this.#server.snapshot();
  }

  /** The cluster comes back with what it held then, as from a backup; connections are cut. */
  restore(snapshot: FakeSnapshot): void {
    this.#server.restore(snapshot);
  }

  /** The cluster comes back empty, at revision 1; connections are cut. */
  wipe(): void {
    this.restore(this.#empty);
  }

  /**
   * Puts this in the place of etcd in a testing module, whatever `client` the application's own `EtcdTriggerModule.forRoot` or `forRootAsync` gives:
   * `await fake.replaceIn(Test.createTestingModule({ imports: [AppModule] })).compile()`. `cluster`: which one, of an application that uses several.
   */
  replaceIn<Builder>(builder: ProviderOverrides<Builder>, cluster?: string): Builder {
    return builder.overrideProvider(getBackendToken(cluster)).useValue(this);
  }

  /**
   * What is under way in the applications that run on it.
   * @internal
   */
  get activities(): ClusterActivity[] {
    return Array.from(this.#backends, ({ activity }) => activity());
  }

  /** @internal */
  [OPEN_BACKEND](terms: BackendOptions): ClusterBackend {
    const backend = new FakeBackend(this.#server, terms, () => {
      this.#backends.delete(backend);
    });
    this.#backends.add(backend);
    return backend;
  }

  #write(what: string, operations: readonly Operation[]): { revision: number; deleted: number } {
    const empty = operations.some(({ rawKey }) => rawKey === '');
    if (empty) throw new InvalidOptionsError(`${what}: the key is empty: etcd has no empty key`);
    const result = this.#server.commit(what, [], operations);
    return { revision: result.revision, deleted: result.applied ? result.deleted.length : 0 };
  }
}
