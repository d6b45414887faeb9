import { Etcd3 } from 'etcd3';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';

/** The client that applications inject when they run on no etcd. */
export const absentClient = (): Etcd3 =>
  unusableClient(
    (name) =>
      new InvalidOptionsError(
        `Etcd3.${name}: this application runs on a FakeCluster, which no Etcd3 can talk to; use WatcherService or ` +
          'StoreService, or test this part on an EtcdTestCluster',
      ),
  );

/**
 * A client that can be injected and throws when it is used. Only calls and the raw clients throw, so that code that
 * inspects all providers of an application is not disturbed.
 */
export function unusableClient(errorOf: (name: string) => Error): Etcd3 {
  const client = Object.create(Etcd3.prototype) as Etcd3;
  const thrower = (name: string) => (): never => {
    throw errorOf(name);
  };
  for (const name of METHODS) Object.defineProperty(client, name, { value: thrower(`${name}()`) });
  for (const name of RAW_CLIENTS) Object.defineProperty(client, name, { get: thrower(name) });
  return client;
}

const METHODS: readonly string[] = [Etcd3.prototype, Object.getPrototypeOf(Etcd3.prototype) as object]
  .flatMap((prototype) => Object.getOwnPropertyNames(prototype))
  .filter((name) => name !== 'constructor');

const RAW_CLIENTS = ['kv', 'leaseClient', 'watchClient', 'auth', 'maintenance', 'cluster'] satisfies (keyof Etcd3)[];
