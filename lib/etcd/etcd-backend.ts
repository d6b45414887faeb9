import {
  type BackendOptions,
  type BackendSource,
  type ClusterBackend,
  isBackendSource,
  OPEN_BACKEND,
} from '../backend/cluster-backend.js';
import { ClientChoice, type Etcd3 } from './connection/etcd-client.js';
import { EtcdConnection } from './connection/etcd-connection.js';
import { EtcdKeyValue } from './etcd-key-value.js';
import { EtcdLease } from './etcd-lease.js';
import { EtcdListWatcher } from './etcd-list-watcher.js';

/** The backend for an application's `client` option; opening it checks the option. */
export const backendSourceOf = (client: unknown): BackendSource =>
  isBackendSource(client)
    ? client
    : { [OPEN_BACKEND]: (options) => new EtcdBackend(new ClientChoice(client), options) };

/** A real etcd, over a connection of the module's own. */
class EtcdBackend implements ClusterBackend {
  readonly listWatcher: EtcdListWatcher;
  readonly keyValue: EtcdKeyValue;
  readonly leases: EtcdLease;
  readonly #choice: ClientChoice;
  readonly #connection: EtcdConnection;

  constructor(choice: ClientChoice, options: BackendOptions) {
    const { keyPrefix, limits } = options;
    this.#choice = choice;
    this.#connection = new EtcdConnection(choice.settings, options);
    this.listWatcher = new EtcdListWatcher(this.#connection, keyPrefix);
    this.keyValue = new EtcdKeyValue(this.#connection, keyPrefix, limits);
    this.leases = new EtcdLease(this.#connection, keyPrefix);
  }

  client(): Etcd3 | Promise<Etcd3> {
    return this.#choice.client();
  }

  /** A client that the application supplied stays open. */
  close(): void {
    this.#connection.close();
    this.#choice.close();
  }
}
