import type { ClusterActivity } from '../../backend/cluster-backend.js';
import type { BackendOptions, ClusterBackend } from '../../backend/cluster-backend.js';
import { FakeConnection } from './fake-connection.js';
import { FakeKeyValue } from './fake-key-value.js';
import { FakeLeaseStore } from './fake-lease-store.js';
import { FakeListWatcher } from './fake-list-watcher.js';
import type { KeyRange } from '../../backend/key-range.js';
import type { KeyRecord } from '../../backend/key-record.js';
import type { FakeServer } from './fake-server.js';

/** What one cluster of an application runs on when it runs on a fake. */
export class FakeBackend implements ClusterBackend {
  readonly listWatcher: FakeListWatcher;
  readonly keyValue: FakeKeyValue;
  readonly leases: FakeLeaseStore;
  readonly activity: () => ClusterActivity;
  readonly #connection: FakeConnection;
  readonly #closed: () => void;

  constructor(server: FakeServer, terms: BackendOptions, closed: () => void) {
    this.#connection = new FakeConnection(server, terms);
    this.listWatcher = new FakeListWatcher(this.#connection);
    this.keyValue = new FakeKeyValue(this.#connection);
    this.leases = new FakeLeaseStore(this.#connection);
    this.activity = terms.activity;
    this.#closed = closed;
  }

  /** What a range holds, whatever keeps the application from seeing it. */
  held(range: KeyRange): KeyRecord[] {
    const whole = this.#connection.whole({ kind: range.kind, rawKey: range.rawKey });
    const { server } = this.#connection;
    return server.range('held', whole).map((record) => this.#connection.local(record));
  }

  /** Whether the application can be told of what happens there, or begin to watch it. */
  reaches(range: KeyRange): boolean {
    const { link } = this.#connection.server;
    return (
      link.state === 'connected' && !link.isDenied(this.#connection.whole({ kind: range.kind, rawKey: range.rawKey }))
    );
  }

  close(): void {
    this.#connection.close();
    this.#closed();
  }
}
