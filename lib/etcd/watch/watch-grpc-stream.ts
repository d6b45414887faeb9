import {
  ConnectionError,
  ConnectionTimeoutError,
  type EtcdTriggerError,
  WatchError,
} from '../../etcd-trigger.errors.js';
import { ConnectionLostError } from '../../backend/list-watcher.js';
import {
  encodeProgressRequest,
  encodeWatchCancel,
  encodeWatchCreate,
  NO_WATCH,
  type WatchCreateRequest,
  watchIdOf,
  type WatchResponse,
} from '../codec/watch-codec.js';
import { BusyLinkLimit } from '../connection/busy-link.js';
import { isLeaderless, translate } from '../connection/etcd-errors.js';
import { type MemberSession, REQUIRE_LEADER } from '../connection/member-session.js';
import type { GrpcError } from '../transport/grpc-error.js';
import type { GrpcStream } from '../transport/grpc-stream.js';
import { PendingCreates } from './pending-creates.js';
import type { Watch, WatchReceiver } from './watch-receiver.js';

const WATCH = '/etcdserverpb.Watch/Watch';
/** Time in which the member must answer a create, counted from its sending, unless the link is busy. */
export const CREATE_LIMIT_MS = 3_000;
const PROGRESS_INTERVAL_MS = 60_000;
/** Messages without events in one second that no etcd sends. */
const FLOOD = 50_000;

export interface WatchGrpcStreamOptions {
  readonly token: string | undefined;
  readonly decode: (bytes: Buffer) => WatchResponse;
  /** `isByServer` is true unless the client had no more use for the stream. */
  readonly onEnd: (stream: WatchGrpcStream, isByServer: boolean, failure: GrpcError | undefined) => void;
  /** The member left a create unanswered and sent nothing else on the stream. */
  readonly onSilence: (stream: WatchGrpcStream) => void;
}

/**
 * One gRPC stream with any number of watches. Each create carries an id of its own, which etcd answers with; a server
 * that answers with another id is grpc-proxy, where creates are sent one at a time. (`watchServer` in etcd's
 * server/etcdserver/api/v3rpc/watch.go, and server/proxy/grpcproxy/watch.go.)
 */
export class WatchGrpcStream {
  /** Bytes of messages that watches of the stream keep until they may deliver them. */
  bufferedBytes = 0;
  /** No further create belongs on this stream. */
  isClosedForCreates = false;
  readonly #session: MemberSession;
  readonly #options: WatchGrpcStreamOptions;
  readonly #watches = new Map<number, Watch>();
  readonly #creates: PendingCreates;
  readonly #endMonitoring: () => void;
  readonly #progress: NodeJS.Timeout;
  #stream!: GrpcStream;
  #nextId = 1;
  #messages = 0;
  #emptyMessages = 0;
  #secondBegan = 0;
  /** An answer counts only if it was requested and no create was sent since: otherwise it may overtake events. */
  #isProgressRequested = false;
  #isOver = false;

  /** @throws GrpcError when the session has no free stream, or has ended */
  constructor(session: MemberSession, options: WatchGrpcStreamOptions, onLeaderLost: () => void) {
    this.#session = session;
    this.#options = options;
    this.#creates = new PendingCreates({
      isSequential: () => session.isProxy,
      limit: new BusyLinkLimit(CREATE_LIMIT_MS, () => session.grpc.bytesReceived),
      send: (watch) => {
        this.#send(watch);
      },
      onTimeout: (watch) => {
        this.#onCreateTimeout(watch);
      },
      onBlocked: (unsent) => {
        this.#onBlocked(unsent);
      },
    });
    this.#stream = this.#open(options.token);
    this.#endMonitoring = session.leaderMonitor.watch(onLeaderLost);
    this.#progress = setInterval(() => {
      this.#requestProgress();
    }, PROGRESS_INTERVAL_MS).unref();
  }

  get session(): MemberSession {
    return this.#session;
  }

  get token(): string | undefined {
    return this.#options.token;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get hasMessages(): boolean {
    return this.#messages > 0;
  }

  /** Adds a watch; the returned function cancels it without waiting for the server. */
  create(request: WatchCreateRequest, receiver: WatchReceiver): () => void {
    const id = this.#nextId++;
    const watch: Watch = {
      request,
      receiver,
      id,
      isCreated: false,
      isCanceled: false,
      sentAt: 0,
      messagesAtSending: 0,
    };
    this.#watches.set(id, watch);
    this.#creates.add(watch);
    return () => {
      this.#cancel(watch);
    };
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  /** Ends the stream and all its watches, because of what the server sent. */
  #fail(error: EtcdTriggerError): void {
    if (this.#isOver) return;
    this.#stream.cancel();
    this.#end(error, true);
  }

  #open(token: string | undefined): GrpcStream {
    return this.#session.grpc.openStream(WATCH, {
      metadata: token === undefined ? REQUIRE_LEADER : { ...REQUIRE_LEADER, token },
      onMessage: (bytes) => {
        this.#onMessage(bytes);
      },
      onOversized: (head) => {
        this.#onOversized(head);
      },
      onEnd: (failure) => {
        this.#end(this.#describe(failure), true, failure);
      },
    });
  }

  #send(watch: Watch): void {
    watch.sentAt = performance.now();
    watch.messagesAtSending = this.#messages;
    this.#isProgressRequested = false;
    this.#stream.write(encodeWatchCreate(watch.request, watch.id));
  }

  #onMessage(bytes: Buffer): void {
    const response = this.#decode(bytes);
    if (!response) return;
    this.#messages += 1;
    if (response.created) {
      this.#onCreated(response);
      return;
    }
    const watch = this.#watches.get(response.watchId);
    if (response.canceled) {
      if (watch) this.#remove(watch).receiver.onCanceled(response);
    } else if (response.changes.length > 0) {
      if (watch?.isCanceled === false) watch.receiver.onMessage(response, bytes.length);
    } else {
      this.#onProgress(response, watch);
    }
  }

  #decode(bytes: Buffer): WatchResponse | undefined {
    try {
      return this.#options.decode(bytes);
    } catch (cause) {
      const reason = cause instanceof RangeError ? `: ${cause.message}` : '';
      this.#fail(new WatchError(`the server sent a message that is not valid for etcd${reason}`, { cause }));
      return undefined;
    }
  }

  /** A denied create has no id of its own: it belongs to the oldest one without an answer. */
  #onCreated(response: WatchResponse): void {
    const watch = this.#creates.answered(response.watchId);
    if (!watch) {
      this.#onUnexpectedId(response);
      return;
    }
    if (response.canceled) {
      this.#remove(watch);
      if (!watch.isCanceled) watch.receiver.onCanceled(response);
      return;
    }
    if (watch.id !== response.watchId) {
      this.#watches.delete(watch.id);
      watch.id = response.watchId;
      this.#watches.set(watch.id, watch);
    }
    watch.isCreated = true;
    this.#session.hasAnswered = true;
    if (watch.isCanceled) this.#cancelOnServer(watch);
    else watch.receiver.onCreated({ clusterId: response.clusterId, revision: response.revision });
  }

  #onUnexpectedId({ watchId }: WatchResponse): void {
    if (this.#creates.isEmpty || this.#watches.get(watchId)?.isCreated === true) {
      this.#fail(new WatchError('the server answered a watch that was not requested'));
      return;
    }
    this.#session.isProxy = true;
    const watches = [...this.#watches.values()].filter(({ isCanceled }) => !isCanceled);
    this.#watches.clear();
    this.#stream.cancel();
    this.#end(new ConnectionError('the server is a proxy'), false);
    for (const { receiver } of watches) receiver.onRestart();
  }

  #onProgress(response: WatchResponse, watch: Watch | undefined): void {
    const now = performance.now();
    if (now - this.#secondBegan >= 1_000) {
      this.#secondBegan = now;
      this.#emptyMessages = 0;
    }
    this.#emptyMessages += 1;
    if (this.#emptyMessages > FLOOD + this.#watches.size) {
      this.#fail(new WatchError('the server sends more messages without events than any etcd'));
    } else if (response.watchId !== NO_WATCH) {
      if (watch?.isCanceled === false) watch.receiver.onProgress(response.revision);
    } else if (this.#isProgressRequested) {
      this.#isProgressRequested = false;
      for (const each of this.#watches.values()) each.receiver.onProgress(response.revision);
    }
  }

  #onOversized(head: Buffer): void {
    const id = watchIdOf(head);
    const watch = id === undefined ? undefined : this.#watches.get(id);
    if (!watch) {
      this.#fail(new ConnectionError('the server sent a message above the size limit that belongs to no watch'));
      return;
    }
    this.#cancel(watch);
    watch.receiver.onOversized();
  }

  #onCreateTimeout(watch: Watch): void {
    const isStreamAlive = this.#messages > watch.messagesAtSending;
    this.isClosedForCreates = true;
    if (!isStreamAlive) this.#options.onSilence(this);
    watch.isCanceled = true;
    watch.receiver.onCreateTimeout(isStreamAlive);
    this.#endIfUnused();
  }

  /** Watches that wait behind an unanswered create begin again on another stream. Those that were created stay. */
  #onBlocked(unsent: readonly Watch[]): void {
    this.isClosedForCreates = true;
    for (const watch of unsent) {
      this.#watches.delete(watch.id);
      if (!watch.isCanceled) watch.receiver.onRestart();
    }
    this.#endIfUnused();
  }

  #cancel(watch: Watch): void {
    if (this.#isOver || watch.isCanceled) return;
    watch.isCanceled = true;
    if (watch.isCreated) this.#cancelOnServer(watch);
    else if (this.#creates.withdraw(watch)) this.#remove(watch);
    else this.#endIfUnused();
  }

  #cancelOnServer(watch: Watch): void {
    this.#stream.write(encodeWatchCancel(watch.id));
    this.#remove(watch);
  }

  #remove(watch: Watch): Watch {
    this.#watches.delete(watch.id);
    this.#endIfUnused();
    return watch;
  }

  #endIfUnused(): void {
    for (const watch of this.#watches.values()) if (!watch.isCanceled) return;
    if (this.#isOver) return;
    this.#stream.cancel();
    this.#end(new ConnectionError('the stream has no more watches'), false);
  }

  /** Only after all creates are answered, and from releases whose answer overtakes no event. */
  #requestProgress(): void {
    if (!this.#session.hasSafeProgress || !this.#creates.isEmpty) return;
    this.#isProgressRequested = true;
    this.#stream.write(encodeProgressRequest());
  }

  #describe(failure: GrpcError | undefined): EtcdTriggerError {
    const { authority } = this.#session.member;
    if (!failure) return new ConnectionError(`${authority} ended the watch stream`);
    if (this.#session.grpc.state === 'closed')
      return new ConnectionLostError(`the connection to ${authority} was lost: ${failure.details}`, { cause: failure });
    if (isLeaderless(failure)) return new ConnectionError(`${authority} has no leader`, { cause: failure });
    return translate(failure, `the watch stream of ${authority} ended`);
  }

  #end(error: EtcdTriggerError, isByServer: boolean, failure?: GrpcError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.isClosedForCreates = true;
    clearInterval(this.#progress);
    this.#creates.end();
    this.#endMonitoring();
    this.#options.onEnd(this, isByServer, failure);
    for (const { isCanceled, receiver } of this.#watches.values()) if (!isCanceled) receiver.onStreamEnd(error);
    this.#watches.clear();
  }
}

export const createTimeoutError = (what: string): ConnectionTimeoutError =>
  new ConnectionTimeoutError(`${what}: not accepted within ${CREATE_LIMIT_MS} ms`);
