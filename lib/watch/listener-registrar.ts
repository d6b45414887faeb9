import {
  ConnectionClosedError,
  type EtcdTriggerError,
  InvalidOptionsError,
  WatchError,
} from '../etcd-trigger.errors.js';
import type { InitialListWait } from './sharing/initial-list.js';
import type { KeyRange } from '../backend/key-range.js';
import { CompactedError, FutureRevisionError, type ListWatcher } from '../backend/list-watcher.js';
import type { RangeListener, ListenerRegistration } from './sharing/range-listener.js';
import { isRefusal } from './stream/reflector.js';
import type { WatchOptions } from './delivery/watch-options.js';
import type { SharedRanges } from './sharing/shared-ranges.js';

/** A listener's place at a range. */
export interface RegisteredListener {
  readonly registration: ListenerRegistration;
  /** Gives it up, and with the last one the range. */
  readonly unregister: () => void;
  /** Rejects as `WatcherService.watch` does. */
  readonly listed: Promise<void>;
}

/** Gives listeners their seats: from which point on, and why there is none. */
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

  /** @throws InvalidOptionsError for options that cannot work */
  register(
    range: KeyRange,
    options: WatchOptions,
    listener: RangeListener,
    wait: Partial<InitialListWait> = {},
  ): RegisteredListener {
    const { initial, fromRevision } = checkStart(options);
    const what = `watch ${range.toString()}`;
    const watched = this.#ranges.acquire(range, { held: false });
    const registration =
      fromRevision === undefined
        ? watched.register(listener, { initial })
        : watched.registerFrom(fromRevision, listener);
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
      this.#ranges.release(watched);
    };
    return { registration, unregister, listed };
  }

  /** No further seat is given. */
  close(): void {
    this.#isClosed = true;
  }

  /** @throws ConnectionClosedError */
  checkOpen(what: string): void {
    if (this.#isClosed) throw new ConnectionClosedError(`${what}: the module is closed`);
  }

  /** The error as the caller of `watch` understands it. */
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
      const compacted = await this.#compactedAt(range);
      return new WatchError(
        `${what}: fromRevision ${fromRevision} is compacted${compacted ? `; the first revision available is ${compacted + 1}` : ''}`,
        { revision: compacted && compacted + 1, cause: error },
      );
    }
    return error;
  }

  /** A watch from the beginning of time is cancelled with the revision of the last compaction. */
  async #compactedAt(range: KeyRange): Promise<number | undefined> {
    const stream = this.#source.watch(range, 1, { fragment: false });
    stream.created.then(
      () => {
        stream.deliver(() => {
          stream.cancel();
        });
      },
      () => undefined,
    );
    const reason = await stream.ended;
    return reason instanceof CompactedError ? reason.compactRevision : undefined;
  }
}

/**
 * Where a listener begins.
 * @throws InvalidOptionsError
 */
export function checkStart({ initial, fromRevision }: Pick<WatchOptions, 'initial' | 'fromRevision'>): {
  readonly initial: boolean;
  readonly fromRevision: number | undefined;
} {
  if (fromRevision === undefined) return { initial: initial ?? true, fromRevision };
  if (!Number.isSafeInteger(fromRevision) || fromRevision < 1) {
    throw new InvalidOptionsError(
      `fromRevision is a revision of etcd, an integer of at least 1, not ${String(fromRevision)}`,
    );
  }
  if (initial === true) {
    throw new InvalidOptionsError('fromRevision begins with changes, not with what exists: leave out initial: true');
  }
  return { initial: false, fromRevision };
}

/** Failures that no later attempt of the list would heal. */
const isFinal = (error: EtcdTriggerError): boolean =>
  isRefusal(error) || error instanceof CompactedError || error instanceof FutureRevisionError;
