import type { ClusterActivity } from '../watch/cluster-activity.js';
import type { BackendTerms, ClusterBackend } from '../watch/cluster-backend.js';
import { FakeConnection } from './fake-connection.js';
import { FakeKeyValue } from './fake-key-value.js';
import { FakeLeaseStore } from './fake-lease-store.js';
import { FakeListWatcher } from './fake-list-watcher.js';
import type { KeyRange } from '../watch/key-range.js';
import type { KeyRecord } from '../watch/key-record.js';
import type { FakeServer } from './fake-server.js';

/** What one cluster of an application runs on when it runs on a fake. */
export class FakeBackend implements ClusterBackend {
  readonly listWatcher: FakeListWatcher;
  readonly keyValue: FakeKeyValue;
  readonly leases: FakeLeaseStore;
  readonly activity: () => ClusterActivity;
  readonly #connection: FakeConnection;
  readonly #closed: () => void;

  constructor(server: FakeServer, terms: BackendTerms, closed: () => void) {
    this.#connection = new FakeConnection(server, terms);
    this.listWatcher = new FakeListWatcher(this.#connection);
    this.keyValue = new FakeKeyValue(this.#connection);
    this.leases = new FakeLeaseStore(this.#connection);
    this.activity = terms.activity;
    this.#closed = closed;
  }

  /** What a range holds, whatever keeps the application from seeing it. */
  held(range: KeyRange): KeyRecord[] {
    const whole = this.#connection.whole({ kind: range.kind, id: range.id });
    const { server } = this.#connection;
    return server.range('held', whole).map((record) => this.#connection.local(record));
  }

  /** Whether the application can be told of what happens there, or begin to watch it. */
  reaches(range: KeyRange): boolean {
    const { link } = this.#connection.server;
    return link.state === 'connected' && !link.isDenied(this.#connection.whole({ kind: range.kind, id: range.id }));
  }

  close(): void {
    this.#connection.close();
    this.#closed();
  }
}
