import { EtcdTriggerError, WatchError } from '../../etcd-trigger.errors.js';
import type { KeyRange } from '../../backend/key-range.js';
import type { KeyRecord } from '../../backend/key-record.js';
import {
  CompactedError,
  ConnectionLostError,
  isRefusal,
  type ListWatcher,
  MessageTooLargeError,
  type WatchHeader,
  type WatchStream,
} from '../../backend/list-watcher.js';
import { type Backoff, BACKOFF, pause } from '../../timing/backoff.js';
import { Gate } from '../../timing/gate.js';
import type { ResyncNotice } from '../watch-event.js';
import { checkHistory } from './history-check.js';
import { RangeCache, type RangeUpdate } from './range-cache.js';
import { RevisionFlow } from './revision-flow.js';

/** Follows a range through a reflector. The reflector calls it synchronously. What it throws interrupts and is retried. */
export interface ReflectorSink {
  /** Receives records of the initial list while the rest is still being read. */
  onPage?(records: readonly KeyRecord[]): void;
  /** The initial list has been read into the cache. */
  listed(cache: RangeCache): void;
  /** Must apply the update to the cache before it returns. */
  changed(update: RangeUpdate, notice: ResyncNotice | undefined): void;
  /** A member has accepted the stream and has the same history. */
  following(): void;
  /** The list failed or the stream broke. The reflector retries. */
  interrupted(reason: EtcdTriggerError): void;
  /** Receives what a method of the sink, or the code that calls it, has thrown unexpectedly. Must not throw. */
  failed?(error: unknown): void;
  /** True if `count` events can be accepted. After false, the sink calls `Reflector.onDrain` later. */
  canAccept(count: number): boolean;
}

export interface ReflectorOptions {
  /**
   * Start from a cache, or from a list at this revision.
   * @default a list at the newest revision
   */
  readonly from?: { readonly cache: RangeCache } | { readonly revision: number } | undefined;
  /** List, but do not follow before `resume()`. */
  readonly paused?: boolean;
  readonly backoff?: Backoff;
  /** The sink may refuse events. */
  readonly mayPause?: boolean;
}

/** A stream that was followed for this time counts as a success. */
const STABLE_MS = 1_000;

type ResyncReason = ResyncNotice['reason'];

/** The result of one attempt to list and follow. */
interface Attempt {
  /** True if the stream was followed for a while. The backoff then starts again from the beginning. */
  readonly hasFollowed: boolean;
  readonly outcome: Outcome;
}

/** The reason why a stream ended. `reopen`: without a failure, because another stream is needed. */
type Outcome = { readonly relist: ResyncReason } | { readonly reopen: true } | { readonly broken: EtcdTriggerError };

/**
 * Lists a range once, then follows it. After a break it resumes at the cursor. It lists again and passes on the
 * difference only if etcd no longer holds the history, or the history is another one. It runs until it is closed.
 */
export class Reflector {
  readonly #source: ListWatcher;
  readonly #range: KeyRange;
  readonly #sink: ReflectorSink;
  readonly #backoff: Backoff;
  readonly #abort = new AbortController();
  readonly #listAt: number | undefined;
  readonly #mayPause: boolean;
  /** Closed while the reflector lists without following, and while it is paused. */
  readonly #running = new Gate();
  /** Closed while the reflector is paused. */
  readonly #retrying = new Gate();
  /** Closed while the sink cannot accept events. */
  readonly #drain = new Gate();
  #cache: RangeCache | undefined;
  #relist: ResyncReason | undefined;
  #fragment = false;
  #flow: RevisionFlow | undefined;

  constructor(source: ListWatcher, range: KeyRange, sink: ReflectorSink, options: ReflectorOptions = {}) {
    const { from, paused = false, backoff = source.backoff ?? BACKOFF, mayPause = false } = options;
    this.#mayPause = mayPause;
    this.#source = source;
    this.#range = range;
    this.#sink = sink;
    this.#backoff = backoff;
    if (from && 'cache' in from) this.#cache = from.cache;
    else this.#listAt = from?.revision;
    if (!paused) this.#running.open();
    this.#retrying.open();
  }

  /** Does not call the sink before it returns. */
  start(): void {
    queueMicrotask(() => void this.#run());
  }

  /** A reflector that has not listed yet waits for `resume()` before its next attempt. Others are not affected. */
  pause(): void {
    this.#running.close();
    this.#retrying.close();
  }

  resume(): void {
    this.#running.open();
    this.#retrying.open();
  }

  /** To be called when the sink can accept events again. */
  onDrain(): void {
    this.#drain.open();
    this.#flow?.drain();
  }

  /** Local, immediate and idempotent. The sink is not called afterwards. */
  close(): void {
    this.#abort.abort();
    this.#flow?.stop();
    this.resume();
    this.#drain.open();
  }

  #isClosed(): boolean {
    return this.#abort.signal.aborted;
  }

  async #run(): Promise<void> {
    let attempt = 0;
    while (!this.#isClosed()) {
      const { hasFollowed, outcome } = await this.#attempt();
      if (this.#isClosed()) return;
      attempt = hasFollowed ? 0 : attempt + 1;
      if ('relist' in outcome) this.#relist = outcome.relist;
      if ('broken' in outcome) {
        this.#reportInterruption(outcome.broken);
        await pause(this.#waitBefore(attempt, outcome.broken), this.#abort.signal);
        if (!this.#cache) await this.#retrying.whenOpen();
      } else if (attempt > 1) {
        // The first reopening is immediate, later ones back off.
        await pause(this.#backoff.soon(attempt - 1), this.#abort.signal);
      }
    }
  }

  #reportInterruption(reason: EtcdTriggerError): void {
    try {
      this.#sink.interrupted(reason);
    } catch (error) {
      // The sink reports failures of its listeners. Whatever else it throws must not end this loop.
      this.#sink.failed?.(error);
    }
  }

  async #attempt(): Promise<Attempt> {
    try {
      const isFresh = this.#running.isOpen && (await this.#listIfNeeded());
      const cache = this.#cache ?? (await this.#initialList());
      await this.#running.whenOpen();
      await this.#drained();
      if (this.#isClosed()) return { hasFollowed: false, outcome: { reopen: true } };
      return await this.#follow(cache, isFresh);
    } catch (error) {
      return { hasFollowed: false, outcome: this.#outcomeOf(error) };
    }
  }

  /** Returns true if the cache was listed now. */
  async #listIfNeeded(): Promise<boolean> {
    if (!this.#cache) await this.#initialList();
    else if (this.#relist) await this.#listAgain(this.#cache, this.#relist);
    else return false;
    return true;
  }

  async #initialList(): Promise<RangeCache> {
    const { signal } = this.#abort;
    const onPage = (records: readonly KeyRecord[]): void => {
      if (!signal.aborted) this.#sink.onPage?.(records);
    };
    const cache =
      // A Range request at revision 0 reads the newest revision. The state before revision 1 is empty anyway.
      this.#listAt === 0
        ? RangeCache.of({ revision: 0, clusterId: '', records: new Map() })
        : RangeCache.of(await this.#source.list(this.#range, { revision: this.#listAt, signal, onPage }));
    signal.throwIfAborted();
    // If the sink throws, the next attempt lists again.
    this.#sink.listed(cache);
    this.#cache = cache;
    return cache;
  }

  async #listAgain(cache: RangeCache, reason: ResyncReason): Promise<void> {
    const list = await this.#source.list(this.#range, { signal: this.#abort.signal });
    this.#abort.signal.throwIfAborted();
    this.#relist = undefined;
    cache.confirm();
    const changes = cache.difference(list);
    await this.#drained(changes.length);
    this.#abort.signal.throwIfAborted();
    this.#sink.changed(
      {
        revision: list.revision,
        changes,
        origin: 'resync',
        ...(reason !== 'compacted' && { clusterId: list.clusterId }),
      },
      {
        target: this.#range.target,
        fromRevision: cache.next,
        toRevision: list.revision,
        reason,
        deletionsKnown: true,
      },
    );
  }

  async #follow(cache: RangeCache, isFresh: boolean): Promise<Attempt> {
    const stream = this.#source.watch(this.#range, cache.next, {
      fragment: this.#fragment,
      mayPause: this.#mayPause,
    });
    const cancel = (): void => {
      stream.cancel();
    };
    this.#abort.signal.addEventListener('abort', cancel);
    try {
      const header = await stream.created;
      const relist = await checkHistory(stream, header, cache, { isFresh });
      if (relist) return { hasFollowed: false, outcome: { relist } };
      this.#sink.following();
      const since = performance.now();
      const outcome = await this.#deliver(stream, header, cache);
      // A stream that ends right after it was accepted is no success.
      return { hasFollowed: performance.now() - since >= STABLE_MS, outcome };
    } finally {
      this.#flow?.stop();
      this.#flow = undefined;
      this.#abort.signal.removeEventListener('abort', cancel);
      stream.cancel();
    }
  }

  #deliver(stream: WatchStream, header: WatchHeader, cache: RangeCache): Promise<Outcome> {
    return new Promise((resolve) => {
      const flow = new RevisionFlow(stream, {
        wants: (revision) => revision >= cache.next,
        canAccept: (count) => this.#sink.canAccept(count),
        onMessage: () => {
          cache.confirm();
        },
        onUpdate: (update) => {
          this.#sink.changed(update, undefined);
          if (this.#fragment && cache.next > header.revision) {
            // Caught up. The server's cost of fragments is quadratic in the number of small events.
            this.#fragment = false;
            resolve({ reopen: true });
          }
        },
        onBookmark: (revision) => {
          cache.bookmark(revision);
        },
        onFailure: (error) => {
          resolve(this.#outcomeOf(error));
        },
        onStall: () => {
          resolve({ reopen: true });
        },
      });
      this.#flow = flow;
      void stream.ended.then((reason) => {
        resolve(this.#outcomeOf(reason));
      });
      flow.start();
    });
  }

  #outcomeOf(error: unknown): Outcome {
    if (error instanceof CompactedError && this.#cache) return { relist: 'compacted' };
    if (error instanceof MessageTooLargeError && !this.#fragment) {
      this.#fragment = true;
      return { reopen: true };
    }
    if (error instanceof EtcdTriggerError) return { broken: error };
    // A list that close() has aborted ends with the error of the abort.
    if (!this.#isClosed()) this.#sink.failed?.(error);
    return { broken: new WatchError(`following ${this.#range.toString()} failed unexpectedly`, { cause: error }) };
  }

  /** Waits until the sink can accept `count` events. Without a count, until it has processed all earlier ones. */
  async #drained(count = Infinity): Promise<void> {
    while (!this.#isClosed() && !this.#sink.canAccept(count)) {
      this.#drain.close();
      await this.#drain.whenOpen();
    }
  }

  #waitBefore(attempt: number, reason: EtcdTriggerError): number {
    // The backend paces its own attempts to reconnect.
    if (reason instanceof ConnectionLostError) return this.#backoff.soon(0);
    const isPatient = this.#cache !== undefined || attempt > 10;
    return isPatient && isRefusal(reason) ? this.#backoff.refused() : this.#backoff.soon(attempt);
  }
}
