import type { EtcdTriggerOptions } from 'nestjs-etcd-trigger';

type Awaitable<T> = T | Promise<T>;

/** What a contract is checked on: a fake, or a real etcd behind a proxy. Writes come from somebody else than the application. */
export interface ContractCluster extends AsyncDisposable {
  /** For an application. */
  readonly client: EtcdTriggerOptions['client'];
  /** For an application that may do nothing under `/denied/`. */
  readonly restrictedClient: EtcdTriggerOptions['client'];
  /** All at one revision, which is returned; `undefined` deletes. */
  write(values: Readonly<Record<string, string | Buffer | undefined>>, lease?: string): Awaitable<number>;
  /** Where the store is. */
  revision(): Awaitable<number>;
  compact(revision: number): Awaitable<void>;
  /** Connections are cut and new ones refused. */
  disconnect(): Awaitable<void>;
  reconnect(): Awaitable<void>;
  /** Nothing comes back any more. */
  freeze(): Awaitable<void>;
  /** A lease of somebody else, who lets it end. */
  grantLease(ttlSeconds: number): Awaitable<string>;
  /** A short time to live, in seconds, that it grants exactly. */
  readonly shortTtlSeconds: number;
  /** Resolves when so much time has passed. */
  pass(ms: number): Awaitable<void>;
  /** It comes back empty. */
  wipe(): Awaitable<void>;
}
