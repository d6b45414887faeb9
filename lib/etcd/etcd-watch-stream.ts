import { ConnectionError, EtcdTriggerError, PermissionDeniedError, WatchError } from '../etcd-trigger.errors.js';
import {
  CompactedError,
  MessageTooLargeError,
  type StampList,
  type WatchHeader,
  type WatchMessage,
  type WatchStream,
} from '../backend/list-watcher.js';
import type { KeyRange } from '../backend/key-range.js';
import { Deferred } from '../timing/deferred.js';
import type { WatchCreateRequest, WatchResponse } from './codec/watch-codec.js';
import type { EtcdConnection } from './connection/etcd-connection.js';
import { failureOfReason, isStaleToken, lacksToken, translate } from './connection/etcd-errors.js';
import type { MemberSession } from './connection/member-session.js';
import { GrpcError } from './transport/grpc-error.js';
import { createTimeoutError, type WatchGrpcStream } from './watch/watch-grpc-stream.js';
import type { WatchReceiver } from './watch/watch-receiver.js';
import type { WatchStreams } from './watch/watch-streams.js';

/** Bounds of what one watch buffers while its range is compared with the member. */
const MAX_BUFFERED_EVENTS = 1_000;
const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;
/** The same for all watches of a stream. */
const MAX_STREAM_BYTES = 64 * 1024 * 1024;

export interface EtcdWatchOptions {
  readonly range: KeyRange;
  readonly request: WatchCreateRequest;
  /** The watch may pause, so it needs a gRPC stream of its own. */
  readonly isExclusive: boolean;
  readonly stampsAt: (
    session: MemberSession,
    revision: number,
    isLinearizable: boolean,
    signal: AbortSignal,
  ) => Promise<StampList>;
  /** Reads a key of the range: rejects with a PermissionDeniedError only if the user really lacks the permission. */
  readonly checkPermission: (signal: AbortSignal) => Promise<void>;
}

/** One watch, on a gRPC stream that it shares with others or has for itself. */
export class EtcdWatchStream implements WatchStream, WatchReceiver {
  readonly #created = new Deferred<WatchHeader>();
  readonly #ended = new Deferred<EtcdTriggerError>();
  readonly #connection: EtcdConnection;
  readonly #streams: WatchStreams;
  readonly #options: EtcdWatchOptions;
  readonly #abort = new AbortController();
  #isExclusive: boolean;
  #session: MemberSession | undefined;
  #stream: WatchGrpcStream | undefined;
  #cancelWatch: (() => void) | undefined;
  #release: (() => void) | undefined;
  #receive: ((message: WatchMessage) => void) | undefined;
  #buffer: WatchResponse[] = [];
  #bufferedEvents = 0;
  #bufferedBytes = 0;
  #lastRevision = 0;
  #hasCheckedPermission = false;
  #isOver = false;

  constructor(connection: EtcdConnection, streams: WatchStreams, options: EtcdWatchOptions) {
    this.#connection = connection;
    this.#streams = streams;
    this.#options = options;
    this.#isExclusive = options.isExclusive;
    this.created.catch(() => undefined);
    void this.#open();
  }

  get created(): Promise<WatchHeader> {
    return this.#created.promise;
  }

  get ended(): Promise<EtcdTriggerError> {
    return this.#ended.promise;
  }

  deliver(receive: (message: WatchMessage) => void): void {
    if (this.#isOver) return;
    this.#receive = receive;
    for (const response of this.#takeBuffer()) {
      if (this.#isReceiving) receive(response);
    }
    this.resume();
  }

  stampsAt(revision: number, { linearizable }: { readonly linearizable: boolean }): Promise<StampList> {
    if (!this.#session) return Promise.reject(new ConnectionError(`${this.#what}: not accepted yet`));
    return this.#options.stampsAt(this.#session, revision, linearizable, this.#abort.signal);
  }

  pause(): void {
    if (this.#isExclusive) this.#stream?.pause();
  }

  resume(): void {
    if (this.#isExclusive && this.#isReceiving) this.#stream?.resume();
  }

  cancel(): void {
    this.#finish(new ConnectionError(`${this.#what}: cancelled`));
  }

  onCreated(header: WatchHeader): void {
    // Nothing flows before the range has been compared with this member.
    if (this.#isExclusive && !this.#receive) this.#stream?.pause();
    this.#created.resolve(header);
  }

  onMessage(response: WatchResponse, bytes: number): void {
    for (const { rawKey, revision } of response.changes) {
      if (revision < this.#lastRevision) {
        this.#finish(new WatchError(`${this.#what}: the server sent revision ${revision} after ${this.#lastRevision}`));
        return;
      }
      if (!this.#options.range.includes(rawKey)) {
        this.#finish(new WatchError(`${this.#what}: the server sent an event of a key outside of the range`));
        return;
      }
      this.#lastRevision = revision;
    }
    if (this.#receive) this.#receive(response);
    else this.#keep(response, bytes);
  }

  onProgress(revision: number): void {
    this.#receive?.({ revision, fragment: false, changes: [] });
  }

  onCanceled({ compactRevision, cancelReason }: WatchResponse): void {
    if (compactRevision !== 0) {
      this.#finish(new CompactedError(this.#what, compactRevision));
      return;
    }
    const failure = failureOfReason(cancelReason || 'the server cancelled the watch');
    const error = translate(failure, this.#what);
    const isDenied = error instanceof PermissionDeniedError || isStaleToken(failure) || lacksToken(failure);
    if (isDenied && !this.#hasCheckedPermission && this.#stream?.token !== undefined) void this.#retryIfPermitted();
    else this.#finish(error);
  }

  onOversized(): void {
    this.#finish(new MessageTooLargeError(`${this.#what}: a message exceeds the size limit`));
  }

  onCreateTimeout(isStreamAlive: boolean): void {
    if (isStreamAlive && !this.#isExclusive) void this.#moveToExclusive();
    else this.#finish(createTimeoutError(this.#what));
  }

  onRestart(): void {
    this.#leaveStream();
    void this.#open();
  }

  onStreamEnd(error: EtcdTriggerError): void {
    this.#finish(error);
  }

  get #what(): string {
    return `watch ${this.#options.range.toString()}`;
  }

  /** A receiver may cancel the watch in the middle of a delivery. */
  get #isReceiving(): boolean {
    return this.#receive !== undefined;
  }

  /** Waits through an outage that was reported already; reports a new one. */
  async #open(): Promise<void> {
    const { signal } = this.#abort;
    await this.#attempt(async () => {
      const token = await this.#connection.token();
      const session = await this.#connection.watchSession(signal);
      await this.#openOn(session, token);
    });
  }

  async #openOn(session: MemberSession, token: string | undefined): Promise<void> {
    this.#session = session;
    if (this.#isExclusive) {
      const { stream, release } = await this.#streams.exclusive(session, token, this.#abort.signal);
      this.#release = release;
      this.#stream = stream;
    } else {
      this.#stream = await this.#streams.shared(session, token, this.#abort.signal);
    }
    if (this.#isOver) this.#leaveStream();
    else this.#cancelWatch = this.#stream.create(this.#options.request, this);
  }

  /**
   * The events before the comparison exceed the bounds, or the stream leaves the create unanswered: the watch begins
   * again, on a stream that can be paused.
   */
  async #moveToExclusive(): Promise<void> {
    this.#leaveStream();
    this.#takeBuffer();
    this.#lastRevision = 0;
    this.#isExclusive = true;
    await this.#attempt(async () => {
      const token = await this.#connection.token();
      if (this.#session) await this.#openOn(this.#session, token);
    });
  }

  /**
   * Since etcd 3.4.25 and 3.5.7 a create with a stale token is answered "permission denied". A read, whose refusal
   * names the token, tells the two apart; then a new stream carries the new token.
   */
  async #retryIfPermitted(): Promise<void> {
    this.#hasCheckedPermission = true;
    const stream = this.#stream;
    await this.#attempt(async () => {
      await this.#options.checkPermission(this.#abort.signal);
      if (stream) stream.isClosedForCreates = true;
      this.#leaveStream();
      await this.#open();
    });
  }

  async #attempt(run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.#finish(
        error instanceof GrpcError
          ? translate(error, this.#what)
          : error instanceof EtcdTriggerError
            ? error
            : new WatchError(`${this.#what}: failed unexpectedly`, { cause: error }),
      );
    }
  }

  #keep(response: WatchResponse, bytes: number): void {
    this.#buffer.push(response);
    this.#bufferedEvents += response.changes.length;
    this.#bufferedBytes += bytes;
    if (this.#stream) this.#stream.bufferedBytes += bytes;
    const isFull =
      this.#bufferedEvents > MAX_BUFFERED_EVENTS ||
      this.#bufferedBytes > MAX_BUFFERED_BYTES ||
      (this.#stream?.bufferedBytes ?? 0) > MAX_STREAM_BYTES;
    if (isFull && !this.#isExclusive) void this.#moveToExclusive();
  }

  #takeBuffer(): readonly WatchResponse[] {
    const buffered = this.#buffer;
    if (this.#stream) this.#stream.bufferedBytes -= this.#bufferedBytes;
    this.#buffer = [];
    this.#bufferedEvents = 0;
    this.#bufferedBytes = 0;
    return buffered;
  }

  #leaveStream(): void {
    this.#cancelWatch?.();
    this.#cancelWatch = undefined;
    this.#release?.();
    this.#release = undefined;
  }

  #finish(reason: EtcdTriggerError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#receive = undefined;
    this.#takeBuffer();
    this.#leaveStream();
    this.#abort.abort(reason);
    this.#created.reject(reason);
    this.#ended.resolve(reason);
  }
}
