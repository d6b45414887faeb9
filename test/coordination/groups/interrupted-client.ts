import type { FakeCluster } from 'nestjs-etcd-trigger/testing';
import {
  type BackendOptions,
  type BackendSource,
  type ClusterBackend,
  OPEN_BACKEND,
} from '../../../lib/backend/cluster-backend.js';
import { keyText } from '../../../lib/backend/key-record.js';
import type { KeyValueStore } from '../../../lib/backend/key-value-store.js';
import type { LeaseClock } from '../../../lib/backend/lease-clock.js';
import type { LeaseStore } from '../../../lib/backend/lease-store.js';
import type { ListWatcher } from '../../../lib/backend/list-watcher.js';
import { ConnectionError, UnknownOutcomeError } from '../../../lib/etcd-trigger.errors.js';
import { Deferred } from '../../../lib/timing/deferred.js';
import { InterruptedStream } from './interrupted-stream.js';

/**
 * - `cut`: nothing of the instance arrives any more, as if its process had ended.
 * - `suspended`: the process is stopped. It sends its requests, and receives the answers, when it continues.
 * - `failed`: only this request fails.
 */
export type Interruption = 'cut' | 'suspended' | 'failed';

/** A request of an instance, by its description and the number of equal ones before it. */
export interface SentRequest {
  readonly name: string;
  readonly before: number;
  readonly isWrite: boolean;
}

export interface Cut extends SentRequest {
  readonly interruption: Interruption;
  /** The request is never applied, or it is applied and its answer is lost. Nobody can tell that of a read. */
  readonly lost: 'request' | 'answer';
}

/** The connection of one instance to a fake cluster, which is interrupted at one of its requests. */
export class InterruptedClient implements BackendSource {
  /** All requests until the interruption, in their order. */
  readonly requests: SentRequest[] = [];
  readonly #fake: FakeCluster;
  readonly #cut: Cut | undefined;
  readonly #counts = new Map<string, number>();
  readonly #leases = new Set<string>();
  readonly #interrupted = new Deferred();
  readonly #continued = new Deferred();
  readonly #onCut = new Set<() => void>();
  #state: Interruption | undefined;
  #interruptedAt = 0;

  constructor(fake: FakeCluster, cut?: Cut) {
    this.#fake = fake;
    this.#cut = cut;
  }

  /** Resolves at the interruption. */
  get interrupted(): Promise<void> {
    return this.#interrupted.promise;
  }

  get isInterrupted(): boolean {
    return this.#interruptedAt > 0;
  }

  /** True if the instance cannot reach etcd now. */
  get isStopped(): boolean {
    return this.#state !== undefined;
  }

  /** The instance has not renewed its leases for their time to live. */
  expireLeases(): void {
    for (const lease of this.#leases) this.#fake.revokeLease(lease);
  }

  /** A suspended process continues. */
  continue(): void {
    if (this.#state !== 'suspended') return;
    this.#state = undefined;
    this.#continued.resolve();
  }

  /** @internal */
  [OPEN_BACKEND](options: BackendOptions): ClusterBackend {
    const backend = this.#fake[OPEN_BACKEND](options);
    const { listWatcher, keyValue, leases, leaseClock } = backend;
    this.#onCut.add(() => {
      backend.close();
    });
    return Object.assign(backend, {
      listWatcher: this.#listWatcher(listWatcher),
      keyValue: this.#keyValue(keyValue),
      leases: this.#leaseStore(leases),
      leaseClock: leaseClock && this.#leaseClock(leaseClock),
    });
  }

  #keyValue(inner: KeyValueStore): KeyValueStore {
    return {
      get: (rawKey, options) => this.#send(`get ${keyText(rawKey)}`, 'read', () => inner.get(rawKey, options)),
      commit: (transaction) =>
        this.#send(transaction.what, transaction.operations.length > 0 ? 'write' : 'read', () =>
          inner.commit(transaction),
        ),
    };
  }

  #listWatcher(inner: ListWatcher): ListWatcher {
    return {
      ...(inner.backoff && { backoff: inner.backoff }),
      list: (range, options) => this.#send(`list ${range.toString()}`, 'read', () => inner.list(range, options)),
      stamps: (range, options) => this.#send(`stamps ${range.toString()}`, 'read', () => inner.stamps(range, options)),
      watch: (range, start, options) => {
        const stream = new InterruptedStream(
          (open) => this.#send(`watch ${range.toString()}`, 'read', open),
          () => inner.watch(range, start, options),
          () => (this.#state === undefined ? undefined : this.#continued.promise),
        );
        this.#onCut.add(() => {
          stream.cancel();
        });
        return stream;
      },
    };
  }

  #leaseStore(inner: LeaseStore): LeaseStore {
    return {
      grant: (ttlSeconds) =>
        this.#send('grant a lease', 'lease', async () => {
          const lease = await inner.grant(ttlSeconds);
          this.#leases.add(lease.id);
          return lease;
        }),
      grantAs: (id, ttlSeconds) => this.#send('grant a chosen lease', 'lease', () => inner.grantAs(id, ttlSeconds)),
      renew: (id, signal) => this.#send('renew a lease', 'lease', () => inner.renew(id, signal)),
      keys: (id, signal) => this.#send('read the keys of a lease', 'read', () => inner.keys(id, signal)),
      revoke: (id, signal) => this.#send('revoke a lease', 'lease', () => inner.revoke(id, signal)),
    };
  }

  /** An instance whose connection is cut learns from its clock that its lease is over; a suspended one does not. */
  #leaseClock(inner: LeaseClock): LeaseClock {
    const now = (): number => (this.#state === 'cut' ? this.#fake.now.getTime() - this.#interruptedAt : 0);
    return { now, wall: now, after: (ms, call) => inner.after(ms, call) };
  }

  async #send<T>(what: string, kind: 'read' | 'write' | 'lease', serve: () => Promise<T>): Promise<T> {
    const name = nameOf(what);
    if (this.#state !== undefined) return this.#afterwards(name, serve);
    const before = this.#counts.get(name) ?? 0;
    this.#counts.set(name, before + 1);
    if (!this.isInterrupted) this.requests.push({ name, before, isWrite: kind !== 'read' });
    const cut = this.#cut;
    if (cut?.name !== name || cut.before !== before || this.isInterrupted) return serve();
    return this.#interrupt(cut, kind, serve);
  }

  async #interrupt<T>({ name, interruption, lost }: Cut, kind: string, serve: () => Promise<T>): Promise<T> {
    this.#interruptedAt = this.#fake.now.getTime();
    if (interruption !== 'failed') this.#state = interruption;
    const answer = lost === 'answer' ? serve() : undefined;
    answer?.catch(() => undefined);
    if (interruption === 'cut') for (const end of this.#onCut) end();
    this.#interrupted.resolve();
    if (interruption === 'suspended') {
      await this.#continued.promise;
      return answer ?? serve();
    }
    const error = new ConnectionError(`${name}: the connection was lost`);
    throw kind === 'write' ? new UnknownOutcomeError(`${name}: the answer was lost`, { cause: error }) : error;
  }

  async #afterwards<T>(name: string, serve: () => Promise<T>): Promise<T> {
    if (this.#state === 'cut') throw new ConnectionError(`${name}: the connection is lost`);
    await this.#continued.promise;
    return serve();
  }
}

/** Without what differs from run to run. */
const nameOf = (what: string): string =>
  what.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '<instance>').replaceAll(/\d{10,}/g, '<lease>');
