import { ConnectionClosedError } from '../../etcd-trigger.errors.js';
import type { BackendOptions } from '../../backend/cluster-backend.js';
import { isRemoval, type KeyChange, rawKeyOf, type KeyRecord, PackedRecord } from '../../backend/key-record.js';
import type { WatchStream } from '../../backend/list-watcher.js';
import type { FakeRange, FakeRequest } from './fake-link.js';
import type { FakeServer, ServerWatch } from './fake-server.js';

type OpenedWatch = ServerWatch & Pick<WatchStream, 'cancel' | 'ended'>;

/** One application's connection to the fake. It adds and removes the application's key prefix. */
export class FakeConnection {
  readonly #options: BackendOptions;
  readonly #prefix: string;
  readonly #watches = new Set<OpenedWatch>();
  #isClosed = false;

  constructor(
    readonly server: FakeServer,
    options: BackendOptions,
  ) {
    this.#options = options;
    this.#prefix = rawKeyOf(options.keyPrefix);
  }

  /** The application's key prefix, with one char per byte. */
  get prefix(): string {
    return this.#prefix;
  }

  /** True if requests of the application reach the server. */
  get isUp(): boolean {
    return !this.#isClosed && this.server.link.state !== 'disconnected';
  }

  /** Adds the application's prefix to a range or a key. */
  whole<Named extends { readonly rawKey: string }>(named: Named): Named {
    return { ...named, rawKey: this.#prefix + named.rawKey };
  }

  /** Removes the application's prefix from a change or a record. */
  local<Change extends KeyChange>(change: Change): Change {
    if (this.#prefix === '') return change;
    const rawKey = change.rawKey.slice(this.#prefix.length);
    return (isRemoval(change) ? { ...change, rawKey } : localRecord(change, rawKey)) as Change;
  }

  /** @throws ConnectionClosedError, and the errors of `FakeLink.request` */
  async request<Answer>(
    request: Pick<FakeRequest<Answer>, 'what' | 'key' | 'isWrite' | 'signal' | 'serve'> & {
      readonly ranges: readonly FakeRange[];
    },
  ): Promise<Answer> {
    if (this.#isClosed) throw new ConnectionClosedError(`${request.what}: the module is closed`, { key: request.key });
    return this.server.link.request(this, { ...request, limitMs: this.#options.requestTimeoutMs });
  }

  opened<Watch extends OpenedWatch>(watch: Watch): Watch {
    this.#watches.add(watch);
    void watch.ended.then(() => this.#watches.delete(watch));
    return watch;
  }

  close(): void {
    this.#isClosed = true;
    this.server.link.close(this);
    for (const watch of this.#watches) watch.cancel();
  }
}

const localRecord = (record: KeyRecord, rawKey: string): KeyRecord =>
  new PackedRecord(
    rawKey,
    record instanceof PackedRecord ? record.packed : record.value,
    record.revision,
    record.createRevision,
    record.version,
    record.lease,
  );
