import {
  AuthenticationError,
  EtcdTriggerError,
  InvalidOptionsError,
  PermissionDeniedError,
  WatchError,
} from '../../etcd-trigger.errors.js';
import { type Backoff, BACKOFF, pause } from '../../timing/backoff.js';
import type { KeyRange } from '../../backend/key-range.js';
import type { KeyRecord } from '../../backend/key-record.js';
import {
  CompactedError,
  FutureRevisionError,
  type ListWatcher,
  MessageTooLargeError,
  type WatchHeader,
  type WatchStream,
} from '../../backend/list-watcher.js';
import { type RangeUpdate, RangeCache } from './range-cache.js';
import { RevisionFlow } from './revision-flow.js';
import type { ResyncNotice } from '../watch-event.js';

/** Who follows a range through a reflector. Called synchronously; must not throw. */
export interface ReflectorSink {
  /** Records of the first list, while the rest is on its way. */
  onPage?(records: readonly KeyRecord[]): void;
  /** The first list is in; `memory` is what is known from now on. */
  listed(cache: RangeCache): void;
  /** To be applied to the memory before returning. */
  changed(change: RangeUpdate, notice: ResyncNotice | undefined): void;
  following(): void;
  /** The list failed or the stream broke; the reflector goes on trying. */
  interrupted(reason: EtcdTriggerError): void;
  /** Whether so many events can be taken now. Who says no calls `Reflector.roomAgain` later. */
  canAccept(count: number): boolean;
}

export interface ReflectorOptions {
  /** Where to begin: from what is known, or else from a list of this revision (the newest by default). */
  readonly from?: { readonly cache: RangeCache } | { readonly revision: number } | undefined;
  /** After the list, wait for `open()` before following. */
  readonly held?: boolean;
  readonly backoff?: Backoff;
}

type ResyncReason = ResyncNotice['reason'];

/** Why a stream was left. `again`: nothing is wrong, another stream is wanted. */
type Outcome = { readonly relist: ResyncReason } | { readonly again: true } | { readonly broken: EtcdTriggerError };

/**
 * Lists a range once, then follows it: resumes at the cursor after a break, lists again and hands on the difference only when history is gone
 * or is another one. It ends when it is closed, never by itself.
 */
export class Reflector {
  readonly #source: ListWatcher;
  readonly #range: KeyRange;
  readonly #sink: ReflectorSink;
  readonly #backoff: Backoff;
  readonly #abort = new AbortController();
  readonly #listAt: number | undefined;
  readonly #gate = new Gate();
  readonly #room = new Gate();
  #cache: RangeCache | undefined;
  #relist: ResyncReason | undefined;
  #fragment = false;
  #flow: RevisionFlow | undefined;

  constructor(source: ListWatcher, range: KeyRange, sink: ReflectorSink, options: ReflectorOptions = {}) {
    const { from, held = false, backoff = source.backoff ?? BACKOFF } = options;
    this.#source = source;
    this.#range = range;
    this.#sink = sink;
    this.#backoff = backoff;
    if (from && 'cache' in from) this.#cache = from.cache;
    else this.#listAt = from?.revision;
    if (!held) this.#gate.open();
  }

  /** The sink is first called after this has returned. */
  start(): void {
    queueMicrotask(() => void this.#run());
  }

  /** Lets a held reflector follow. */
  open(): void {
    this.#gate.open();
  }

  /** Makes a reflector that has not listed yet wait for `open()` before it tries again. */
  hold(): void {
    this.#gate.close();
  }

  /** The sink may have room again. */
  onDrain(): void {
    this.#room.open();
    this.#flow?.drain();
  }

  /** Local, immediate, idempotent: the sink is not called afterwards. */
  close(): void {
    this.#abort.abort();
    this.#flow?.stop();
    this.#gate.open();
    this.#room.open();
  }

  #isClosed(): boolean {
    return this.#abort.signal.aborted;
  }

  async #run(): Promise<void> {
    for (let attempt = 0; !this.#isClosed(); attempt += 1) {
      const outcome = await this.#attempt(() => {
        attempt = -1;
      });
      if (this.#isClosed()) return;
      if ('relist' in outcome) this.#relist = outcome.relist;
      if ('broken' in outcome) {
        this.#sink.interrupted(outcome.broken);
        await pause(this.#waitBefore(attempt + 1, outcome.broken), this.#abort.signal);
        if (!this.#cache) await this.#gate.passed;
      } else if (attempt > 0) {
        await pause(this.#backoff.soon(attempt), this.#abort.signal);
      }
    }
  }

  async #attempt(succeeded: () => void): Promise<Outcome> {
    try {
      const isFresh = this.#gate.isOpen && (await this.#listIfNeeded());
      const cache = this.#cache ?? (await this.#initialList());
      await this.#gate.passed;
      await this.#drained();
      if (this.#isClosed()) return { again: true };
      return await this.#follow(cache, isFresh, succeeded);
    } catch (error) {
      return this.#outcomeOf(error);
    }
  }

  /** @returns whether what is known was listed right now */
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
      // Revision 0 of a Range means now: the state before revision 1 is known to be empty.
      this.#listAt === 0
        ? RangeCache.of({ revision: 0, clusterId: '', records: new Map() })
        : RangeCache.of(await this.#source.list(this.#range, { revision: this.#listAt, signal, onPage }));
    signal.throwIfAborted();
    this.#cache = cache;
    this.#sink.listed(cache);
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
      { target: this.#range.target, fromRevision: cache.next, toRevision: list.revision, reason },
    );
  }

  async #follow(cache: RangeCache, isFresh: boolean, succeeded: () => void): Promise<Outcome> {
    const stream = this.#source.watch(this.#range, cache.next, { fragment: this.#fragment });
    const cancel = (): void => {
      stream.cancel();
    };
    this.#abort.signal.addEventListener('abort', cancel);
    try {
      const header = await stream.created;
      const relist = await this.#anotherPast(stream, header, cache, isFresh);
      if (relist) return { relist };
      succeeded();
      this.#sink.following();
      return await this.#deliver(stream, header, cache);
    } finally {
      this.#flow?.stop();
      this.#flow = undefined;
      this.#abort.signal.removeEventListener('abort', cancel);
      stream.cancel();
    }
  }

  /**
   * Whether the store has another past than the one that is known. A member that lags is no such case; a store that was restored and has grown
   * past the cursor shows in no header, so the writes themselves are compared, on the very member of the stream and before it delivers.
   */
  async #anotherPast(
    stream: WatchStream,
    header: WatchHeader,
    cache: RangeCache,
    isFresh: boolean,
  ): Promise<ResyncReason | undefined> {
    if (cache.clusterId !== '' && header.clusterId !== cache.clusterId) return 'cluster-changed';
    const known = cache.next - 1;
    const isBehind = header.revision < known;
    if (known === 0 || (isFresh && !isBehind)) return undefined;
    try {
      const { stamps } = await stream.stampsAt(known, { linearizable: isBehind });
      return cache.matches(stamps) ? undefined : 'restored';
    } catch (error) {
      if (isBehind && error instanceof FutureRevisionError) return 'restored';
      throw error;
    }
  }

  #deliver(stream: WatchStream, header: WatchHeader, cache: RangeCache): Promise<Outcome> {
    return new Promise((resolve) => {
      const flow = new RevisionFlow(
        stream,
        {
          wants: (revision) => revision >= cache.next,
          heard: () => {
            cache.confirm();
          },
          canAccept: (count) => this.#sink.canAccept(count),
          take: (revision) => {
            this.#sink.changed(revision, undefined);
            if (this.#fragment && cache.next > header.revision) {
              // Caught up. Fragments cost the server time quadratic in the number of small events.
              this.#fragment = false;
              resolve({ again: true });
            }
          },
          bookmark: (revision) => {
            cache.bookmark(revision);
          },
        },
        () => {
          resolve({ again: true });
        },
      );
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
      return { again: true };
    }
    if (error instanceof EtcdTriggerError) return { broken: error };
    return { broken: new WatchError(`following ${this.#range.toString()} failed unexpectedly`, { cause: error }) };
  }

  /** Without a count: until everything handed on before has been worked off. */
  async #drained(count = Infinity): Promise<void> {
    while (!this.#isClosed() && !this.#sink.canAccept(count)) {
      this.#room.close();
      await this.#room.passed;
    }
  }

  #waitBefore(attempt: number, reason: EtcdTriggerError): number {
    const isPatient = this.#cache !== undefined || attempt > 10;
    return isPatient && isRefusal(reason) ? this.#backoff.refused() : this.#backoff.soon(attempt);
  }
}

/** etcd answered, and the answer was no: trying again soon is of no use. */
export const isRefusal = (error: EtcdTriggerError): boolean =>
  error instanceof PermissionDeniedError ||
  error instanceof AuthenticationError ||
  error instanceof InvalidOptionsError;

class Gate {
  #passed: Promise<void> = Promise.resolve();
  #open: (() => void) | undefined;

  constructor() {
    this.close();
  }

  get passed(): Promise<void> {
    return this.#passed;
  }

  get isOpen(): boolean {
    return this.#open === undefined;
  }

  open(): void {
    this.#open?.();
    this.#open = undefined;
  }

  close(): void {
    if (this.#open) return;
    this.#passed = new Promise((resolve) => {
      this.#open = resolve;
    });
  }
}
