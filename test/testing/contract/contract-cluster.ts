import type { EtcdTriggerOptions } from 'nestjs-etcd-trigger';

type Awaitable<T> = T | Promise<T>;

/** The cluster under test: a fake, or a real etcd behind a proxy. Its writes do not come from the application. */
export interface ContractCluster extends AsyncDisposable {
  /** Client option of an application. */
  readonly client: EtcdTriggerOptions['client'];
  /** Client option of an application without access to `/denied/`. */
  readonly restrictedClient: EtcdTriggerOptions['client'];
  /** Writes all values at one revision and returns it. `undefined` deletes a key. */
  write(values: Readonly<Record<string, string | Buffer | undefined>>, lease?: string): Awaitable<number>;
  /** Returns the store's current revision. */
  revision(): Awaitable<number>;
  compact(revision: number): Awaitable<void>;
  /** Cuts connections and refuses new ones. */
  disconnect(): Awaitable<void>;
  reconnect(): Awaitable<void>;
  /** Holds back all responses. */
  freeze(): Awaitable<void>;
  /** Grants a lease that nothing renews. */
  grantLease(ttlSeconds: number): Awaitable<string>;
  /** Revokes a lease of any client. */
  revokeLease(lease: string): Awaitable<void>;
  /** A short time to live in seconds that the cluster grants unchanged. */
  readonly shortTtlSeconds: number;
  /** Resolves after this time. */
  pass(ms: number): Awaitable<void>;
  /** The time by which schedules go, in milliseconds since 1970. */
  now(): number;
  /** Replaces the store with an empty one. */
  wipe(): Awaitable<void>;
}
