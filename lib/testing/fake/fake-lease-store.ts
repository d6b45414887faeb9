import type { Lease, LeaseStore } from '../../backend/lease-store.js';
import type { FakeConnection } from './fake-connection.js';

/** Leases of one application. They stay alive while it is connected; after that they expire by the virtual clock. */
export class FakeLeaseStore implements LeaseStore {
  readonly #connection: FakeConnection;

  constructor(connection: FakeConnection) {
    this.#connection = connection;
  }

  grant(ttlSeconds: number): Promise<Lease> {
    return this.#request('grant a lease', (leases) => leases.grant(ttlSeconds, () => this.#connection.isUp));
  }

  grantAs(id: string, ttlSeconds: number): Promise<boolean> {
    return this.#request(`grant lease ${id}`, (leases) => leases.grantAs(id, ttlSeconds));
  }

  renew(id: string, signal: AbortSignal): Promise<boolean> {
    return this.#request(`renew lease ${id}`, (leases) => leases.renew(id), signal);
  }

  keys(id: string, signal: AbortSignal): Promise<readonly string[] | undefined> {
    const { server, prefix } = this.#connection;
    const ownKeys = (): string[] | undefined =>
      server
        .keysOf(id)
        ?.filter((key) => key.startsWith(prefix))
        .map((key) => key.slice(prefix.length));
    return this.#request(`read the keys of lease ${id}`, ownKeys, signal);
  }

  async revoke(id: string, signal: AbortSignal): Promise<void> {
    await this.#request(`revoke lease ${id}`, (leases) => leases.revoke(id), signal);
  }

  #request<Answer>(
    what: string,
    serve: (leases: FakeConnection['server']['leases']) => Answer,
    signal?: AbortSignal,
  ): Promise<Answer> {
    const { leases } = this.#connection.server;
    return this.#connection.request({ what, ranges: [], isWrite: false, signal, serve: () => serve(leases) });
  }
}
