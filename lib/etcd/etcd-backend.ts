import type { BackendSource, BackendOptions, ClusterBackend } from '../backend/cluster-backend.js';
import { isBackendSource, OPEN_BACKEND } from '../backend/cluster-backend.js';
import { chooseClient, type ClientChoice } from './connection/etcd-client.js';
import { EtcdConnection } from './connection/etcd-connection.js';
import { EtcdKeyValue } from './etcd-key-value.js';
import { EtcdLease } from './etcd-lease.js';
import { EtcdListWatcher } from './etcd-list-watcher.js';

/** The backend that an application's `client` option stands for; whether it can work is checked when it is opened. */
export const backendSourceOf = (client: unknown): BackendSource =>
  isBackendSource(client) ? client : { [OPEN_BACKEND]: (terms) => new EtcdBackend(chooseClient(client), terms) };

/** A real etcd, over a connection of the module's own. */
class EtcdBackend implements ClusterBackend {
  readonly listWatcher: EtcdListWatcher;
  readonly keyValue: EtcdKeyValue;
  readonly leases: EtcdLease;
  readonly #choice: ClientChoice;
  readonly #connection: EtcdConnection;

  constructor(choice: ClientChoice, { keyPrefix, requestTimeoutMs }: BackendOptions) {
    this.#choice = choice;
    this.#connection = new EtcdConnection(choice.options, requestTimeoutMs);
    this.listWatcher = new EtcdListWatcher(this.#connection, keyPrefix);
    this.keyValue = new EtcdKeyValue(this.#connection, keyPrefix);
    this.leases = new EtcdLease(this.#connection);
  }

  get client(): ClientChoice['client'] {
    return this.#choice.client;
  }

  /** A client that was supplied stays open. */
  close(): void {
    this.#connection.close();
    if (this.#choice.isOwn) this.#choice.client.close();
  }
}
