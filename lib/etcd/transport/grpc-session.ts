import type { ClientHttp2Stream } from 'node:http2';
import type { SocketAddress, TlsOptions } from './connect-socket.js';
import { GrpcCode } from './grpc-code.js';
import { GrpcError } from './grpc-error.js';
import { GrpcStream, type StreamOptions } from './grpc-stream.js';
import { guardedCall } from './guarded-call.js';
import { Http2Connection } from './http2-connection.js';
import type { KeepAliveOptions } from './keep-alive.js';
import { requestHeaders } from './request-headers.js';
import { TransportError } from './transport-error.js';
import { UnaryCall, type UnaryOptions } from './unary-call.js';

export interface GrpcSessionOptions {
  readonly address: SocketAddress;
  /** The `:authority` of requests. */
  readonly authority: string;
  /** Plain text without it. */
  readonly tls?: TlsOptions | undefined;
  /** Time until the peer's SETTINGS have arrived. @default 3000 */
  readonly connectTimeoutMs?: number | undefined;
  readonly keepAlive?: Partial<KeepAliveOptions> | undefined;
  /** The limit of one received message. @default 67108864 */
  readonly maxMessageBytes?: number | undefined;
  /** A ping is not answered yet and nothing else has arrived; called again when silence returns before the answer. */
  readonly onPingLate?: (() => void) | undefined;
  readonly onPingAnswered?: (() => void) | undefined;
  /** Open streams may finish; new ones belong on another session. */
  readonly onDraining?: (() => void) | undefined;
}

export type GrpcSessionState = 'connecting' | 'ready' | 'draining' | 'closed';

const CONNECT_TIMEOUT_MS = 3_000;
const MAX_MESSAGE_BYTES = 67_108_864;
const KEEP_ALIVE: KeepAliveOptions = {
  intervalMs: 10_000,
  spacingMs: 6_000,
  lateMs: 1_000,
  timeoutMs: 3_000,
  answerMs: 9_000,
};

/**
 * One HTTP/2 session for gRPC calls to one address. It does not reconnect. A session without open streams does not keep
 * the process alive. A callback of the options that throws becomes a process warning.
 */
export class GrpcSession {
  /** Resolves when streams can be opened; rejects with a TransportError. */
  readonly ready: Promise<void>;
  /** Resolves when the socket has been closed: with the reason, or with `undefined` after `close`. */
  readonly closed: Promise<TransportError | undefined>;
  readonly #options: GrpcSessionOptions;
  readonly #connection: Http2Connection;
  /** Open streams by their HTTP/2 id. */
  readonly #streams = new Map<number, GrpcStream>();
  readonly #waiting = new Set<() => void>();
  #settleReady: (error?: TransportError) => void = () => undefined;
  #state: GrpcSessionState = 'connecting';
  #maxConcurrentStreams = 0;
  /** Why the session is draining or closed. */
  #reason: TransportError | undefined;

  constructor(options: GrpcSessionOptions) {
    this.#options = options;
    this.ready = new Promise((resolve, reject) => {
      this.#settleReady = (error) => {
        if (error) reject(error);
        else resolve();
      };
    });
    // Nobody has to wait for it.
    this.ready.catch(() => undefined);
    this.#connection = this.#connect(options);
    this.closed = this.#connection.closed.then(() => (this.#reason?.failure === 'closed' ? undefined : this.#reason));
  }

  get state(): GrpcSessionState {
    return this.#state;
  }

  /** Number of bytes received so far. While it does not change, the peer is silent. */
  get bytesReceived(): number {
    return this.#connection.bytesReceived;
  }

  get openStreams(): number {
    return this.#streams.size;
  }

  /** The peer's limit, which may change at any time; 0 until the session is ready. */
  get maxConcurrentStreams(): number {
    return this.#maxConcurrentStreams;
  }

  /** Number of streams that can be opened now. */
  get freeStreams(): number {
    return this.#state === 'ready' ? Math.max(0, this.#maxConcurrentStreams - this.#streams.size) : 0;
  }

  /** No stream is free now, but one may become free. */
  get isFull(): boolean {
    return this.#state === 'connecting' || (this.#state === 'ready' && this.freeStreams === 0);
  }

  /** Opens a stream now, or throws a GrpcError whose `sent` is 'no'. */
  openStream(path: string, options: StreamOptions): GrpcStream {
    if (this.#state !== 'ready' || !this.#connection.isUsable) throw this.#unavailable();
    if (this.isFull) {
      const details = `all ${this.#maxConcurrentStreams} streams that the server allows are open`;
      throw new GrpcError(GrpcCode.RESOURCE_EXHAUSTED, details, { sent: 'no' });
    }
    const http2 = this.#request(path, options);
    if (!http2) {
      this.#drain(new TransportError('exhausted', 'the session has used up its stream ids'));
      throw this.#unavailable();
    }
    const id = http2.id as number;
    const stream = new GrpcStream(http2, options, this.#options.maxMessageBytes ?? MAX_MESSAGE_BYTES);
    this.#streams.set(id, stream);
    if (this.#streams.size === 1) this.#connection.setActive(true);
    http2.once('close', () => {
      this.#onStreamClosed(id, stream);
    });
    return stream;
  }

  /** Sends one request and resolves to the one answer. Waits, within its time limit, for a free stream, in order. */
  unary(path: string, request: Buffer, options: UnaryOptions = {}): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      new UnaryCall(this, path, request, options, (outcome) => {
        if (outcome instanceof GrpcError) reject(outcome);
        else resolve(outcome);
      }).start();
    });
  }

  /** Calls the function, in order, when a stream is free or none will be any more. Returns a function that withdraws it. */
  whenFree(run: () => void): () => void {
    this.#waiting.add(run);
    return () => this.#waiting.delete(run);
  }

  /**
   * Resolves to true when the peer has answered a ping, and to false when the session has ended. Joins a ping under way
   * and waits until another is allowed. Go servers end sessions that are pinged repeatedly while nothing is open.
   */
  ping(): Promise<boolean> {
    return this.ready.then(
      () => this.#connection.ping(),
      () => false,
    );
  }

  /** Ends the session and its streams at once. */
  close(): void {
    this.#connection.end(new TransportError('closed', 'the session was closed'));
  }

  #connect({ address, tls, connectTimeoutMs = CONNECT_TIMEOUT_MS, keepAlive }: GrpcSessionOptions): Http2Connection {
    return new Http2Connection(
      { address, tls, connectTimeoutMs, keepAlive: { ...KEEP_ALIVE, ...keepAlive } },
      {
        onSettings: (maxConcurrentStreams) => {
          this.#onSettings(maxConcurrentStreams);
        },
        onGoaway: (lastStreamId, reason) => {
          this.#onGoaway(lastStreamId, reason);
        },
        onEnd: (reason, lastStreamId) => {
          this.#onEnd(reason, lastStreamId);
        },
        onPingLate: () => {
          guardedCall(() => this.#options.onPingLate?.());
        },
        onPingAnswered: () => {
          guardedCall(() => this.#options.onPingAnswered?.());
        },
      },
    );
  }

  #request(path: string, { metadata, timeoutMs, extend }: StreamOptions): ClientHttp2Stream | undefined {
    const { authority, tls } = this.#options;
    try {
      return this.#connection.request(
        requestHeaders({
          path,
          scheme: tls ? 'https' : 'http',
          authority,
          metadata,
          timeoutMs: extend ? undefined : timeoutMs,
        }),
      );
    } catch (cause) {
      throw new GrpcError(GrpcCode.INTERNAL, 'the request headers are invalid', { cause, sent: 'no' });
    }
  }

  #onSettings(maxConcurrentStreams: number): void {
    this.#maxConcurrentStreams = maxConcurrentStreams;
    if (this.#state === 'connecting') {
      this.#state = 'ready';
      this.#connection.setActive(false);
      this.#settleReady();
    }
    this.#admit();
  }

  #onGoaway(lastStreamId: number, reason: TransportError): void {
    this.#loseStreams(reason, lastStreamId, (id) => id > lastStreamId);
    this.#drain(reason);
  }

  #onEnd(reason: TransportError, lastStreamId: number): void {
    this.#state = 'closed';
    this.#reason = reason;
    this.#settleReady(reason);
    this.#loseStreams(reason, lastStreamId, () => true);
    this.#streams.clear();
    this.#admit();
  }

  #drain(reason: TransportError): void {
    if (this.#state !== 'ready') return;
    this.#state = 'draining';
    this.#reason = reason;
    guardedCall(() => this.#options.onDraining?.());
    this.#admit();
    this.#endIfDrained();
  }

  #onStreamClosed(id: number, stream: GrpcStream): void {
    if (this.#connection.isBroken) {
      // Node closes the streams before it says why the session ends; `#onEnd` ends them with the reason.
      this.#connection.endBroken();
      return;
    }
    stream.onClosed();
    this.#streams.delete(id);
    if (this.#streams.size === 0) this.#connection.setActive(false);
    this.#admit();
    this.#endIfDrained();
  }

  #endIfDrained(): void {
    if (this.#state === 'draining' && this.#streams.size === 0 && this.#reason) this.#connection.end(this.#reason);
  }

  #loseStreams(reason: TransportError, lastStreamId: number, isLost: (id: number) => boolean): void {
    for (const [id, stream] of this.#streams) {
      if (isLost(id)) stream.lose(reason.message, reason, id > lastStreamId);
    }
  }

  /** Lets as many go on as there are free streams, or all of them when there will be none. */
  #admit(): void {
    for (const run of this.#waiting) {
      if (this.isFull) return;
      this.#waiting.delete(run);
      run();
    }
  }

  #unavailable(): GrpcError {
    const details = this.#state === 'connecting' ? 'the session is not ready yet' : 'the connection is ending';
    return new GrpcError(GrpcCode.UNAVAILABLE, this.#reason?.message ?? details, { cause: this.#reason, sent: 'no' });
  }
}
