import { ConnectionClosedError } from '../etcd-trigger.errors.js';
import type { BackendTerms } from '../watch/cluster-backend.js';
import { isRemoval, type KeyChange, keyIdOf, type KeyRecord, PackedRecord } from '../watch/key-record.js';
import type { FakeRange, FakeRequest } from './fake-link.js';
import type { FakeServer, ServerWatch } from './fake-server.js';

/** One application's connection to the fake: it knows keys without the application's prefix. */
export class FakeConnection {
  readonly #terms: BackendTerms;
  readonly #prefix: string;
  readonly #watches = new Set<ServerWatch & { cancel(): void }>();
  #isClosed = false;

  constructor(
    readonly server: FakeServer,
    terms: BackendTerms,
  ) {
    this.#terms = terms;
    this.#prefix = keyIdOf(terms.keyPrefix);
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
  whole<Named extends { readonly id: string }>(named: Named): Named {
    return { ...named, id: this.#prefix + named.id };
  }

  /** The change, or the record, as the application knows it. */
  local<Change extends KeyChange>(change: Change): Change {
    if (this.#prefix === '') return change;
    const id = change.id.slice(this.#prefix.length);
    return (isRemoval(change) ? { ...change, id } : localRecord(change, id)) as Change;
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

const localRecord = (record: KeyRecord, id: string): KeyRecord =>
  new PackedRecord(
    id,
    record instanceof PackedRecord ? record.packed : record.value,
    record.revision,
    record.createRevision,
    record.version,
    record.lease,
  );
