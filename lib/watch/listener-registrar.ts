import {
  ConnectionClosedError,
  type EtcdTriggerError,
  InvalidOptionsError,
  WatchError,
} from '../etcd-trigger.errors.js';
import type { KeyRange } from '../backend/key-range.js';
import { CompactedError, FutureRevisionError, isRefusal, type ListWatcher } from '../backend/list-watcher.js';
import type { WatchOptions } from './delivery/watch-options.js';
import type { InitialListWait } from './sharing/initial-list.js';
import type { ListenerRegistration, RangeListener } from './sharing/range-listener.js';
import type { SharedRanges } from './sharing/shared-ranges.js';
import { BACKOFF, pause } from '../timing/backoff.js';
import { within } from '../timing/time-limit.js';

export interface RegisteredListener {
  readonly registration: ListenerRegistration;
  /** Also releases the range. */
  readonly unregister: () => void;
  /** Rejects as `WatcherService.watch` does. */
  readonly listed: Promise<void>;
}

/** Registers listeners at shared ranges, and explains failures in terms of the watch options. */
export class ListenerRegistrar {
  readonly #source: ListWatcher;
  readonly #ranges: SharedRanges;
  readonly #requestTimeoutMs: number;
  #isClosed = false;

  constructor(source: ListWatcher, ranges: SharedRanges, requestTimeoutMs: number) {
    this.#source = source;
    this.#ranges = ranges;
    this.#requestTimeoutMs = requestTimeoutMs;
  }

  /** @throws InvalidOptionsError for invalid options */
  register(
    range: KeyRange,
    options: WatchOptions,
    listener: RangeListener,
    wait: Partial<InitialListWait> = {},
  ): RegisteredListener {
    const { initial, fromRevision } = checkStart(options);
    const what = `watch ${range.toString()}`;
    const shared = this.#ranges.acquire(range, { paused: false });
    const registration =
      fromRevision === undefined ? shared.register(listener, { initial }) : shared.registerFrom(fromRevision, listener);
    const listed = registration
      .whenListed({ what, timeoutMs: this.#requestTimeoutMs, signal: options.signal, isFinal, ...wait })
      .then(
        () => {
          this.checkOpen(what);
        },
        async (error: unknown) => {
          throw await this.#explain(error, range, options);
        },
      );
    const unregister = (): void => {
      registration.unregister();
      this.#ranges.release(shared);
    };
    return { registration, unregister, listed };
  }

  /** Rejects further listeners. */
  close(): void {
    this.#isClosed = true;
  }

  /** @throws ConnectionClosedError after `close` */
  checkOpen(what: string): void {
    if (this.#isClosed) throw new ConnectionClosedError(`${what}: the module is closed`);
  }

  /** Translates a failure of the list for the caller of `watch`. */
  async #explain(error: unknown, range: KeyRange, { fromRevision = 0, signal }: WatchOptions): Promise<unknown> {
    const what = `watch ${range.toString()}`;
    if (signal?.aborted) return new WatchError(`${what}: aborted`, { cause: signal.reason });
    if (error instanceof FutureRevisionError) {
      return new InvalidOptionsError(
        `${what}: fromRevision ${fromRevision} is more than one ahead of the store's revision`,
        { cause: error },
      );
    }
    if (error instanceof CompactedError) {
      const compacted = error.compactRevision ?? (await this.#compactedAt(range, signal));
      const revision = compacted && compacted + 1;
      const available = revision ? `; the first revision available is ${revision}` : '';
      return new WatchError(`${what}: fromRevision ${fromRevision} is compacted${available}`, {
        revision,
        cause: error,
      });
    }
    return error;
  }

  /** Asks again while the connection fails, for as long as a request may take. */
  async #compactedAt(range: KeyRange, signal: AbortSignal = new AbortController().signal): Promise<number | undefined> {
    const until = performance.now() + this.#requestTimeoutMs;
    for (let attempt = 0; !signal.aborted && !this.#isClosed; attempt += 1) {
      const left = until - performance.now();
      const answer = left > 0 ? await this.#compactionOf(range, left) : 'unknown';
      if (answer !== 'failed') return answer === 'unknown' ? undefined : answer;
      await pause(Math.min(left, BACKOFF.soon(attempt)), signal);
    }
    return undefined;
  }

  /** etcd cancels a watch from revision 1 with the revision of the last compaction. */
  async #compactionOf(range: KeyRange, limitMs: number): Promise<number | 'unknown' | 'failed'> {
    const stream = this.#source.watch(range, 1, { fragment: false, mayPause: true });
    const seen: { history: boolean } = { history: false };
    stream.created.then(
      () => {
        stream.deliver(() => {
          seen.history = true;
          stream.cancel();
        });
      },
      () => undefined,
    );
    const reason = await within(stream.ended, limitMs);
    if (reason instanceof CompactedError) return reason.compactRevision ?? 'unknown';
    stream.cancel();
    return reason && !seen.history && !isRefusal(reason) ? 'failed' : 'unknown';
  }
}

/**
 * Resolves the options that determine the first event of a listener.
 * @throws InvalidOptionsError
 */
export function checkStart({ initial, fromRevision }: Pick<WatchOptions, 'initial' | 'fromRevision'>): {
  readonly initial: boolean;
  readonly fromRevision: number | undefined;
} {
  if (fromRevision === undefined) return { initial: initial ?? true, fromRevision };
  if (!Number.isSafeInteger(fromRevision) || fromRevision < 1) {
    throw new InvalidOptionsError(
      `fromRevision must be a revision of etcd, an integer of at least 1, not ${String(fromRevision)}`,
    );
  }
  if (initial === true) {
    throw new InvalidOptionsError('fromRevision excludes the initial events: remove initial: true');
  }
  return { initial: false, fromRevision };
}

/** True for failures that another attempt of the list cannot heal. */
const isFinal = (error: EtcdTriggerError): boolean =>
  isRefusal(error) || error instanceof CompactedError || error instanceof FutureRevisionError;
