import type { KeyRange } from '../../backend/key-range.js';
import { recordsByRawKey } from '../../backend/key-record.js';
import type { ListOptions, ListWatcher, RangeList, StampList, WatchStream } from '../../backend/list-watcher.js';
import type { FakeConnection } from './fake-connection.js';
import { FakeWatchStream } from './fake-watch-stream.js';

/** Lists and watches ranges of the fake. */
export class FakeListWatcher implements ListWatcher {
  /** Short, because there is no network that needs time to recover. */
  readonly backoff = { soon: () => 1, refused: () => 5 };
  readonly #connection: FakeConnection;

  constructor(connection: FakeConnection) {
    this.#connection = connection;
  }

  async list(range: KeyRange, { revision, signal, onPage }: ListOptions): Promise<RangeList> {
    const { server } = this.#connection;
    const what = `list ${range.toString()}`;
    const whole = this.#connection.whole({ kind: range.kind, rawKey: range.rawKey });
    const list = await this.#connection.request({
      what,
      ranges: [whole],
      isWrite: false,
      signal,
      serve: () => ({
        revision: revision ?? server.revision,
        clusterId: server.clusterId,
        records: recordsByRawKey(server.range(what, whole, revision).map((record) => this.#connection.local(record))),
      }),
    });
    onPage?.([...list.records.values()]);
    return list;
  }

  async stamps(range: KeyRange, options: { readonly signal: AbortSignal }): Promise<StampList> {
    const { records, ...list } = await this.list(range, options);
    return { ...list, stamps: [...records.values()] };
  }

  watch(range: KeyRange, start: number): WatchStream {
    const connection = this.#connection;
    return connection.opened(
      new FakeWatchStream(connection.server, {
        what: `watch ${range.toString()}`,
        range: connection.whole({ kind: range.kind, rawKey: range.rawKey }),
        start,
        local: (change) => connection.local(change),
        stampsAt: async (revision, signal) => {
          const { records, ...list } = await this.list(range, { revision, signal });
          return { ...list, stamps: [...records.values()] };
        },
      }),
    );
  }
}
