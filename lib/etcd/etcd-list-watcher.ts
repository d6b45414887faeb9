import { setImmediate as nextTurn } from 'node:timers/promises';
import { ConnectionError } from '../etcd-trigger.errors.js';
import type { KeyRange } from '../backend/key-range.js';
import { rawKeyOf, type KeyRecord } from '../backend/key-record.js';
import {
  type ListOptions,
  type ListWatcher,
  MessageTooLargeError,
  type RangeList,
  type StampList,
  type RangeWatchOptions,
  type WatchStream,
} from '../backend/list-watcher.js';
import { Semaphore } from '../timing/semaphore.js';
import { KeyInterner } from './codec/key-interner.js';
import { encodeRange, endOfPrefix, type RangeBounds, RangePage, type RangeRequest } from './codec/range-codec.js';
import { decodeWatchResponse } from './codec/watch-codec.js';
import type { EtcdConnection, UnaryMethod, RequestOptions } from './connection/etcd-connection.js';
import { EtcdWatchStream } from './etcd-watch-stream.js';
import { WatchStreams } from './watch/watch-streams.js';

/** Keys of the first page. Later pages grow with what fits, so that neither small keys nor large values make a bad page. */
const FIRST_PAGE = 500;
/** The member counts the keys from each page to the end of the range, so pages must not be too many. */
const LARGEST_PAGE = 20_000;
const PAGE_BYTES = 3 * 1024 * 1024;
/** Ranges that are compared with a member at a time, after a reconnect. */
const MAX_COMPARISONS = 4;

type ListCall = Pick<RequestOptions, 'signal' | 'session' | 'isPatient'>;
type ListRequest = Pick<RangeRequest, 'isSerializable' | 'keysOnly'> & { readonly revision?: number | undefined };

interface Page {
  readonly range: RangePage;
  /** Number of records that were requested. */
  readonly limit: number;
}

/** Lists and watches ranges of one cluster. The cluster's key prefix is added to requests and removed from answers. */
export class EtcdListWatcher implements ListWatcher {
  readonly #connection: EtcdConnection;
  /** The cluster's key prefix with one char a byte. */
  readonly #prefix: string;
  readonly #range: UnaryMethod<RangePage>;
  readonly #streams: WatchStreams;
  readonly #comparisons = new Semaphore(() => MAX_COMPARISONS);

  constructor(connection: EtcdConnection, keyPrefix: string) {
    const prefix = rawKeyOf(keyPrefix);
    const interner = new KeyInterner();
    this.#connection = connection;
    this.#prefix = prefix;
    this.#range = { path: '/etcdserverpb.KV/Range', decode: (bytes) => new RangePage(bytes, prefix) };
    this.#streams = new WatchStreams(connection, (bytes) => decodeWatchResponse(bytes, prefix, interner));
  }

  list(range: KeyRange, { revision, signal, onPage }: ListOptions): Promise<RangeList> {
    return this.#pages(range, { revision }, { signal, isPatient: true }, onPage);
  }

  async stamps(range: KeyRange, { signal }: { readonly signal: AbortSignal }): Promise<StampList> {
    const { revision, clusterId, records } = await this.#pages(range, { keysOnly: true }, { signal });
    return { revision, clusterId, stamps: [...records.values()] };
  }

  watch(range: KeyRange, startRevision: number, { fragment, mayPause }: RangeWatchOptions): WatchStream {
    return new EtcdWatchStream(this.#connection, this.#streams, {
      range,
      request: { ...this.#bounds(range), startRevision, fragment },
      isExclusive: fragment || mayPause,
      stampsAt: (session, revision, isLinearizable, signal) =>
        this.#comparisons.run(signal, async () => {
          const request = { revision, keysOnly: true, isSerializable: !isLinearizable };
          const { clusterId, records } = await this.#pages(range, request, { signal, session, isPatient: true });
          return { revision, clusterId, stamps: [...records.values()] };
        }),
      checkPermission: async (signal) => {
        await this.#page(
          { ...this.#bounds(range), limit: 1, revision: 0, keysOnly: true, isSerializable: true },
          { what: `watch ${range.toString()}`, isIdempotent: true, signal },
        );
      },
    });
  }

  /**
   * Reads every page at the revision of the first, so that together they are one state of the store. The next page is
   * requested before one is decoded: the member reads meanwhile.
   */
  async #pages(
    range: KeyRange,
    { revision, ...request }: ListRequest,
    call: ListCall,
    onPage?: ListOptions['onPage'],
  ): Promise<RangeList> {
    const what = `list ${range.toString()}`;
    const bounds = this.#bounds(range);
    const records = new Map<string, KeyRecord>();
    let at = revision ?? 0;
    const readPage = (key: string, limit: number): Promise<Page> =>
      this.#page({ ...request, ...bounds, key, limit, revision: at }, { what, isIdempotent: true, ...call });
    let next: Promise<Page> | undefined = readPage(bounds.key, FIRST_PAGE);
    let clusterId = '';
    let lastKey = '';
    let total: number | undefined;
    let count = 0;
    while (next) {
      const { range: page, limit }: Page = await next;
      clusterId ||= page.clusterId;
      at ||= page.revision;
      // All pages are one state of the store, so the first one knows how many keys there are.
      total ??= page.total;
      count += page.count;
      next = undefined;
      if (page.more) {
        if (page.lastKey === undefined || page.lastKey <= lastKey || count >= total) throw invalidPage(what);
        lastKey = page.lastKey;
        next = readPage(`${this.#prefix}${lastKey}\0`, nextLimit(limit, page));
        next.catch(() => undefined);
        // The request is on its way when the event loop has turned.
        await nextTurn();
      }
      const arrived = page.records();
      for (const record of arrived) {
        if (!range.includes(record.rawKey)) throw invalidPage(what);
        records.set(record.rawKey, record);
      }
      onPage?.(arrived);
    }
    return { revision: at, clusterId, records };
  }

  /** Reads as many records as requested, or as many as fit into a message. */
  async #page(request: RangeRequest, options: RequestOptions): Promise<Page> {
    for (let { limit } = request; ; limit = Math.max(1, Math.floor(limit / 8))) {
      try {
        return { range: await this.#connection.unary(this.#range, encodeRange({ ...request, limit }), options), limit };
      } catch (error) {
        if (!(error instanceof MessageTooLargeError) || limit === 1) throw error;
      }
    }
  }

  #bounds(range: KeyRange): RangeBounds {
    const key = this.#prefix + range.rawKey;
    return range.kind === 'key' ? { key, rangeEnd: '' } : { key: key || '\0', rangeEnd: endOfPrefix(key) };
  }
}

const nextLimit = (limit: number, page: RangePage): number => {
  const perKey = Math.max(1, page.byteLength / Math.max(1, page.count));
  return Math.max(1, Math.min(limit * 4, LARGEST_PAGE, Math.floor(PAGE_BYTES / perKey)));
};

const invalidPage = (what: string): ConnectionError =>
  new ConnectionError(`${what}: the server sent keys that were not requested`);
