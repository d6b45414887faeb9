import { ConnectionError } from '../../etcd-trigger.errors.js';
import { BACKOFF, pause } from '../../timing/backoff.js';
import { Semaphore } from '../../timing/semaphore.js';
import type { WatchResponse } from '../codec/watch-codec.js';
import type { EtcdConnection } from '../connection/etcd-connection.js';
import { isLeaderless } from '../connection/etcd-errors.js';
import type { MemberSession } from '../connection/member-session.js';
import type { GrpcError } from '../transport/grpc-error.js';
import { WatchGrpcStream } from './watch-grpc-stream.js';

const MAX_EXCLUSIVE = 8;
/** One for the watches that share a stream, and one for calls. */
const RESERVED_STREAMS = 2;
/** Streams in a row without any message from the member: the next one belongs on another member. */
const MAX_MUTE_STREAMS = 2;
/** A shared stream that lived this long counts as a success: the backoff starts over. */
const STABLE_MS = 1_000;

interface SessionStreams {
  readonly session: MemberSession;
  readonly exclusive: Semaphore;
  shared: WatchGrpcStream | undefined;
  muteStreams: number;
  /** Time when the shared stream was opened, and the time before which the next one is not. */
  openedAt: number;
  notBefore: number;
  /** Shared streams in a row that the server ended soon. */
  attempt: number;
}

/** A stream for one watch alone, and the function that gives its place back. */
export interface ExclusiveStream {
  readonly stream: WatchGrpcStream;
  readonly release: () => void;
}

/**
 * Chooses the gRPC stream of a watch: the one that watches share, or one of a few exclusive ones for a watch that
 * pauses, catches up or receives fragments.
 */
export class WatchStreams {
  readonly #connection: EtcdConnection;
  readonly #decode: (bytes: Buffer) => WatchResponse;
  readonly #sessions = new WeakMap<MemberSession, SessionStreams>();

  constructor(connection: EtcdConnection, decode: (bytes: Buffer) => WatchResponse) {
    this.#connection = connection;
    this.#decode = decode;
  }

  /**
   * Resolves to the stream that watches share. If the server ends such streams soon, the next one waits, however many
   * watches need it.
   * @throws GrpcError when the session has no free stream, or has ended; the reason of an abort
   */
  async shared(session: MemberSession, token: string | undefined, signal: AbortSignal): Promise<WatchGrpcStream> {
    const streams = this.#of(session);
    while (streams.shared?.isClosedForCreates !== false) {
      const ms = streams.notBefore - performance.now();
      if (ms <= 0) {
        streams.openedAt = performance.now();
        return (streams.shared = this.#open(streams, token));
      }
      await pause(ms, signal);
      signal.throwIfAborted();
    }
    return streams.shared;
  }

  /**
   * Waits until one of the exclusive streams of the session is free.
   * @throws GrpcError when the session has ended; the reason of an abort
   */
  async exclusive(session: MemberSession, token: string | undefined, signal: AbortSignal): Promise<ExclusiveStream> {
    const streams = this.#of(session);
    const release = await streams.exclusive.acquire(signal);
    try {
      if (session.grpc.state !== 'ready') throw new ConnectionError('the session has ended');
      return { stream: this.#open(streams, token), release };
    } catch (error) {
      release();
      throw error;
    }
  }

  #of(session: MemberSession): SessionStreams {
    let streams = this.#sessions.get(session);
    if (!streams) {
      const { grpc } = session;
      const limit = (): number =>
        grpc.state === 'closed'
          ? Infinity
          : Math.max(1, Math.min(MAX_EXCLUSIVE, grpc.maxConcurrentStreams - RESERVED_STREAMS));
      const exclusive = new Semaphore(limit);
      streams = { session, exclusive, shared: undefined, muteStreams: 0, openedAt: 0, notBefore: 0, attempt: 0 };
      this.#sessions.set(session, streams);
      // Whoever waits for a place learns that the session is over.
      void grpc.closed.then(() => {
        exclusive.admit();
      });
    }
    return streams;
  }

  #open(streams: SessionStreams, token: string | undefined): WatchGrpcStream {
    const { session } = streams;
    return new WatchGrpcStream(
      session,
      {
        token,
        decode: this.#decode,
        onEnd: (stream, isByServer, failure) => {
          if (streams.shared === stream) this.#onSharedEnd(streams, isByServer);
          this.#onEnd(streams, stream, failure);
        },
        onSilence: (stream) => {
          this.#connection.suspect(session, 0);
          if (!stream.hasMessages) this.#onMute(streams);
        },
      },
      () => {
        this.#connection.leave(session);
      },
    );
  }

  #onSharedEnd(streams: SessionStreams, isByServer: boolean): void {
    const now = performance.now();
    streams.shared = undefined;
    if (now - streams.openedAt >= STABLE_MS) streams.attempt = 0;
    else if (isByServer) streams.notBefore = now + BACKOFF.soon(streams.attempt++);
  }

  #onEnd(streams: SessionStreams, stream: WatchGrpcStream, failure: GrpcError | undefined): void {
    if (stream.hasMessages) streams.muteStreams = 0;
    else if (failure) this.#onMute(streams);
    if (failure && isLeaderless(failure)) this.#connection.leave(streams.session);
  }

  #onMute(streams: SessionStreams): void {
    streams.muteStreams += 1;
    if (streams.muteStreams >= MAX_MUTE_STREAMS) this.#connection.leave(streams.session);
  }
}
