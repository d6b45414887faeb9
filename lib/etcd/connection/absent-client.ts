import { Etcd3 } from 'etcd3';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';

/** The client that applications inject when they run on no etcd. */
export const absentClient = (): Etcd3 =>
  clientBehind((name) => {
    throw new InvalidOptionsError(
      `Etcd3.${name}: this application runs on a FakeCluster, which no Etcd3 can talk to; use WatcherService or ` +
        'StoreService, or test this part on an EtcdTestCluster',
    );
  });

/**
 * A client that can be injected before there is one. Each call and each raw client is taken from the client that `find`
 * returns; `find` may throw. Nothing else throws, so that code that inspects all providers of an application is not
 * disturbed.
 */
export function clientBehind(find: (name: string) => Etcd3): Etcd3 {
  const substitute = Object.create(Etcd3.prototype) as Etcd3;
  for (const name of METHODS) {
    const value = (...parameters: unknown[]): unknown => {
      const client = find(`${name}()`);
      return Reflect.apply(Reflect.get(client, name) as () => unknown, client, parameters);
    };
    Object.defineProperty(substitute, name, { value });
  }
  for (const name of RAW_CLIENTS) Object.defineProperty(substitute, name, { get: () => find(name)[name] });
  return substitute;
}

const METHODS: readonly string[] = [Etcd3.prototype, Object.getPrototypeOf(Etcd3.prototype) as object]
  .flatMap((prototype) => Object.getOwnPropertyNames(prototype))
  .filter((name) => name !== 'constructor');

const RAW_CLIENTS = ['kv', 'leaseClient', 'watchClient', 'auth', 'maintenance', 'cluster'] satisfies (keyof Etcd3)[];
