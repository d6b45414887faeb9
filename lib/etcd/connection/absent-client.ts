import { Etcd3 } from 'etcd3';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';

/**
 * What applications inject as their `Etcd3` when they run on no etcd: it can be injected, and says what to do when it is used. Only calls and the
 * raw clients complain, so that whoever looks through all providers of an application is not disturbed.
 */
export function absentClient(): Etcd3 {
  const client = Object.create(Etcd3.prototype) as Etcd3;
  for (const name of METHODS) Object.defineProperty(client, name, { value: complaintOf(`${name}()`) });
  for (const name of RAW_CLIENTS) Object.defineProperty(client, name, { get: complaintOf(name) });
  return client;
}

const METHODS: readonly string[] = [Etcd3.prototype, Object.getPrototypeOf(Etcd3.prototype) as object]
  .flatMap((prototype) => Object.getOwnPropertyNames(prototype))
  .filter((name) => name !== 'constructor');

const RAW_CLIENTS = ['kv', 'leaseClient', 'watchClient', 'auth', 'maintenance', 'cluster'] satisfies (keyof Etcd3)[];

const complaintOf = (name: string) => (): never => {
  throw new InvalidOptionsError(
    `Etcd3.${name}: this application runs on a FakeCluster, which no Etcd3 can talk to; use WatcherService or StoreService, or test this part on an EtcdTestCluster`,
  );
};
