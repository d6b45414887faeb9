import type { BackendOptions, ClusterActivity, ClusterBackend } from '../../backend/cluster-backend.js';
import { FakeConnection } from './fake-connection.js';
import { FakeKeyValue } from './fake-key-value.js';
import { FakeLeaseStore } from './fake-lease-store.js';
import { FakeListWatcher } from './fake-list-watcher.js';
import type { KeyRange } from '../../backend/key-range.js';
import type { LeaseClock } from '../../backend/lease-clock.js';
import type { KeyRecord } from '../../backend/key-record.js';
import type { WallClock } from '../../backend/wall-clock.js';
import type { FakeServer } from './fake-server.js';

/** Backend of one application that runs on a fake cluster. */
export class FakeBackend implements ClusterBackend {
  readonly listWatcher: FakeListWatcher;
  readonly keyValue: FakeKeyValue;
  readonly leases: FakeLeaseStore;
  readonly leaseClock: LeaseClock;
  readonly wallClock: WallClock;
  readonly activity: () => ClusterActivity;
  readonly #connection: FakeConnection;
  readonly #closed: () => void;

  constructor(server: FakeServer, options: BackendOptions, closed: () => void) {
    this.#connection = new FakeConnection(server, options);
    this.listWatcher = new FakeListWatcher(this.#connection);
    this.keyValue = new FakeKeyValue(this.#connection, options.limits);
    this.leases = new FakeLeaseStore(this.#connection);
    this.leaseClock = leaseClockOf(server);
    this.wallClock = wallClockOf(server);
    this.activity = options.activity;
    this.#closed = closed;
  }

  /** Returns the records of a range, regardless of any fault that hides them from the application. */
  recordsOf(range: KeyRange): KeyRecord[] {
    const whole = this.#connection.whole({ kind: range.kind, rawKey: range.rawKey });
    const { server } = this.#connection;
    return server.range('recordsOf', whole).map((record) => this.#connection.local(record));
  }

  /** The key of a range with the `keyPrefix` of the application. */
  wholeKeyOf({ kind, rawKey }: KeyRange): string {
    return this.#connection.whole({ kind, rawKey }).rawKey;
  }

  /** True if the application can receive changes of the range or open a watch on it. */
  canReach(range: KeyRange): boolean {
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

/**
 * The virtual clock, for leases. Its time passes only during interruptions: a connected application renews its leases
 * all the time, however far the clock is advanced in one step.
 */
const leaseClockOf = ({ clock, link }: FakeServer): LeaseClock => ({
  now: () => link.interruptedMs,
  wall: () => link.interruptedMs,
  after: (ms, call) => clock.after(ms, call),
});

const wallClockOf = ({ clock }: FakeServer): WallClock => ({
  now: () => clock.wall,
  after: (ms, call) => clock.after(ms, call),
});
