import { ConnectionClosedError } from '../../etcd-trigger.errors.js';
import type { BackendOptions } from '../../backend/cluster-backend.js';
import { isRemoval, type KeyChange, rawKeyOf, type KeyRecord, PackedRecord } from '../../backend/key-record.js';
import type { FakeRange, FakeRequest } from './fake-link.js';
import type { FakeServer, ServerWatch } from './fake-server.js';

/** One application's connection to the fake: it knows keys without the application's prefix. */
export class FakeConnection {
  readonly #terms: BackendOptions;
  readonly #prefix: string;
  readonly #watches = new Set<ServerWatch & { cancel(): void }>();
  #isClosed = false;

  constructor(
    readonly server: FakeServer,
    terms: BackendOptions,
  ) {
    this.#terms = terms;
    this.#prefix = rawKeyOf(terms.keyPrefix);
  }

  /** How many bytes stand before each key. */
  get prefixLength(): number {
    return this.#prefix.length;
  }

  /** Whether what the application sends arrives. */
  get isUp(): boolean {
    return !this.#isClosed && this.server.link.state !== 'disconnected';
  }

  /** The range, or the key, as the server knows it. */
  whole<Named extends { readonly rawKey: string }>(named: Named): Named {
    return { ...named, rawKey: this.#prefix + named.rawKey };
  }

  /** The change, or the record, as the application knows it. */
  local<Change extends KeyChange>(change: Change): Change {
    if (this.#prefix === '') return change;
    const rawKey = change.rawKey.slice(this.#prefix.length);
    return (isRemoval(change) ? { ...change, rawKey } : localRecord(change, rawKey)) as Change;
  }

  /** @throws ConnectionClosedError, and what `FakeLink.request` throws */
  async request<Answer>(
    request: Pick<FakeRequest<Answer>, 'what' | 'key' | 'isWrite' | 'signal' | 'serve'> & {
      readonly ranges: readonly FakeRange[];
    },
  ): Promise<Answer> {
    if (this.#isClosed) throw new ConnectionClosedError(`${request.what}: the module is closed`, { key: request.key });
    return this.server.link.request(this, { ...request, limitMs: this.#terms.requestTimeoutMs });
  }

  opened<Watch extends ServerWatch & { cancel(): void }>(watch: Watch): Watch {
    this.#watches.add(watch);
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
