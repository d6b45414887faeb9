import { setImmediate as nextTurn } from 'node:timers/promises';
import type { KeyRange } from '../backend/key-range.js';
import { keyBytesOf, rawKeyOf, type KeyRecord } from '../backend/key-record.js';
import {
  type ListOptions,
  type ListWatcher,
  MessageTooLargeError,
  type RangeList,
  type StampList,
  type WatchStream,
} from '../backend/list-watcher.js';
import type { EtcdConnection, UnaryOptions } from './connection/etcd-connection.js';
import { EtcdWatchStream } from './etcd-watch-stream.js';
import { KeyInterner } from './codec/key-interner.js';
import type { UnaryMethod } from './connection/member.js';
import { RangePage } from './codec/range-codec.js';

/** Keys of the first page; it grows with what fits, so that neither 100k small keys nor 1 MiB values make a bad page. */
const FIRST_PAGE = 500;
/** The member counts the keys from each page on to the end, so twice as many pages of 100k small keys take a twentieth more of a start. */
const LARGEST_PAGE = 20_000;
const PAGE_BYTES = 3 * 1024 * 1024;

/** Fields of etcdserverpb.RangeRequest. */
interface ListRequest {
  readonly revision?: number | undefined;
  readonly keys_only?: boolean;
  readonly serializable?: boolean;
}

interface PageRequest extends ListRequest {
  readonly key: Buffer;
  readonly range_end?: Buffer;
  readonly limit: number;
}

type ListCall = Pick<UnaryOptions, 'signal' | 'member'>;

interface Page {
  readonly range: RangePage;
  /** How many records were asked for. */
  readonly limit: number;
}

/** Lists and watches ranges of one cluster; keys are handed out without the cluster's key prefix. */
export class EtcdListWatcher implements ListWatcher {
  readonly #connection: EtcdConnection;
  /** The cluster's key prefix, one char a byte. */
  readonly #prefix: string;
  readonly #range: UnaryMethod<RangePage>;
  readonly #interner = new KeyInterner();

  constructor(connection: EtcdConnection, keyPrefix: string) {
    this.#connection = connection;
    this.#prefix = rawKeyOf(keyPrefix);
    this.#range = {
      service: 'KV',
      method: 'Range',
      decode: (bytes) => new RangePage(bytes, this.#prefix.length),
    };
  }

  list(range: KeyRange, { revision, signal, onPage }: ListOptions): Promise<RangeList> {
    return this.#pages(range, { revision }, { signal }, onPage);
  }

  async stamps(range: KeyRange, { signal }: { readonly signal: AbortSignal }): Promise<StampList> {
    const { revision, clusterId, records } = await this.#pages(range, { keys_only: true }, { signal });
    return { revision, clusterId, stamps: [...records.values()] };
  }

  watch(range: KeyRange, start: number, { fragment }: { readonly fragment: boolean }): WatchStream {
    return new EtcdWatchStream(this.#connection, {
      what: `watch ${range.toString()}`,
      skip: this.#prefix.length,
      known: this.#interner,
      request: { ...this.#bounds(range), start_revision: start, progress_notify: true, fragment },
      stampsAt: async (member, revision, linearizable, signal) => {
        const { clusterId, records } = await this.#pages(
          range,
          { revision, keys_only: true, serializable: !linearizable },
          { signal, member },
        );
        return { revision, clusterId, stamps: [...records.values()] };
      },
    });
  }

  /**
   * Every page at the revision of the first, so that together they are one state of the store. The next page is asked for before one is decoded: the member
   * reads while we do.
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
    const askFor = (key: Buffer, limit: number): Promise<Page> =>
      this.#page({ ...request, ...bounds, key, limit, revision: at }, { what, idempotent: true, ...call });
    let next: Promise<Page> | undefined = askFor(bounds.key, FIRST_PAGE);
    let clusterId = '';
    while (next) {
      const { range, limit }: Page = await next;
      clusterId ||= range.clusterId;
      at ||= range.revision;
      next = undefined;
      if (range.more && range.lastId !== undefined) {
        next = askFor(Buffer.concat([keyBytesOf(this.#prefix + range.lastId), ZERO]), nextLimit(limit, range));
        next.catch(() => undefined);
        // It is on its way when the event loop has turned.
        await nextTurn();
      }
      const arrived = range.records();
      for (const record of arrived) records.set(record.rawKey, record);
      onPage?.(arrived);
    }
    return { revision: at, clusterId, records };
  }

  /** As many records as asked for, or as many as fit into a message. */
  async #page(request: PageRequest, options: UnaryOptions): Promise<Page> {
    for (let { limit } = request; ; limit = Math.max(1, Math.floor(limit / 8))) {
      try {
        return { range: await this.#connection.unary(this.#range, { ...request, limit }, options), limit };
      } catch (error) {
        if (!(error instanceof MessageTooLargeError) || limit === 1) throw error;
      }
    }
  }

  #bounds(range: KeyRange): { readonly key: Buffer; readonly range_end?: Buffer } {
    const start = keyBytesOf(this.#prefix + range.rawKey);
    // Left out, not empty: to a Range an empty `range_end` on the wire is the end of the key space.
    if (range.kind === 'key') return { key: start };
    return { key: start.length === 0 ? ZERO : start, range_end: endOfPrefix(start) };
  }
}

const ZERO = Buffer.from([0]);

/** First key after all keys with the prefix; `\0` means the end of the key space (etcd's rule for `range_end`). */
function endOfPrefix(prefix: Buffer): Buffer {
  for (let index = prefix.length - 1; index >= 0; index -= 1) {
    const byte = prefix[index] as number;
    if (byte < 0xff) {
      const end = Buffer.from(prefix.subarray(0, index + 1));
      end[index] = byte + 1;
      return end;
    }
  }
  return ZERO;
}

const nextLimit = (limit: number, page: RangePage): number => {
  const perKey = Math.max(1, page.byteLength / Math.max(1, page.count));
  return Math.max(1, Math.min(limit * 4, LARGEST_PAGE, Math.floor(PAGE_BYTES / perKey)));
};
