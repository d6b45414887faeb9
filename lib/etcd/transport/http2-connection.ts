import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type OutgoingHttpHeaders,
  type Settings,
} from 'node:http2';
import type { Socket } from 'node:net';
import { connectSocket, type SocketAddress, type TlsOptions } from './connect-socket.js';
import { Deadline } from './deadline.js';
import { nameOfHttp2Code } from './http2-codes.js';
import { KeepAlive, type KeepAliveOptions } from './keep-alive.js';
import { TransportError } from './transport-error.js';
import { printable } from '../../foreign/foreign-text.js';

export interface Http2ConnectionOptions {
  readonly address: SocketAddress;
  readonly tls: TlsOptions | undefined;
  readonly connectTimeoutMs: number;
  readonly keepAlive: KeepAliveOptions;
}

export interface Http2ConnectionEvents {
  /** The peer's SETTINGS have arrived, the first ones or later ones. */
  onSettings(maxConcurrentStreams: number): void;
  /** The peer finishes streams up to the given id and takes no new ones. */
  onGoaway(lastStreamId: number, reason: TransportError): void;
  /** Called once. Streams above the given id, if there are any, were not processed. */
  onEnd(reason: TransportError, lastStreamId: number): void;
  onPingLate(): void;
  onPingAnswered(): void;
}

const STREAM_WINDOW_BYTES = 1_048_576;
/**
 * Node credits the session with every byte it has read, those of paused streams too. So paused streams cannot starve
 * others, and this window only has to exceed what is in flight.
 */
const SESSION_WINDOW_BYTES = 8_388_608;
const MAX_HEADER_PAIRS = 128;
const MAX_HEADER_BYTES = 65_536;
const MAX_DEBUG_BYTES = 100;
/** The URL that `http2.connect` demands; each request carries its own authority. */
const UNUSED_URL = 'http://localhost';

/** The socket and its HTTP/2 session, from the first byte to the reason for its end. */
export class Http2Connection {
  /** Resolves when the socket has been closed. */
  readonly closed: Promise<void>;
  readonly #events: Http2ConnectionEvents;
  readonly #socket: Socket;
  readonly #connectLimit: Deadline;
  readonly #keepAlive: KeepAlive;
  #session: ClientHttp2Session | undefined;
  #hasSettings = false;
  #hasEnded = false;
  #lastStreamId = Infinity;
  #goaway: TransportError | undefined;

  constructor({ address, tls, connectTimeoutMs, keepAlive }: Http2ConnectionOptions, events: Http2ConnectionEvents) {
    this.#events = events;
    this.#keepAlive = new KeepAlive(
      {
        sendPing: (onAnswer) => {
          this.#sendPing(onAnswer);
        },
        bytesReceived: () => this.bytesReceived,
        onLate: () => {
          events.onPingLate();
        },
        onAnswered: () => {
          events.onPingAnswered();
        },
        onDead: () => {
          this.end(new TransportError('ping-timeout', `the peer did not answer within ${keepAlive.timeoutMs} ms`));
        },
      },
      keepAlive,
    );
    this.#connectLimit = new Deadline(connectTimeoutMs, () => {
      this.end(new TransportError('connect-timeout', `no HTTP/2 session within ${connectTimeoutMs} ms`));
    });
    this.#socket = connectSocket(
      address,
      tls,
      () => {
        this.#startSession();
      },
      (error) => {
        this.end(error);
      },
    );
    // An alert of TLS 1.3 comes after the handshake, and Node tells only the socket of it.
    this.#socket.on('error', (error) => {
      this.end(this.#goaway ?? this.#brokenBy(error));
    });
    this.closed = new Promise((resolve) => {
      this.#socket.once('close', () => {
        // The session reports its error after the socket has been closed.
        setImmediate(() => {
          this.end(this.#goaway ?? this.#brokenBy(undefined));
          resolve();
        });
      });
    });
  }

  get bytesReceived(): number {
    return this.#socket.bytesRead;
  }

  /** New streams can be opened. */
  get isUsable(): boolean {
    return !this.isBroken && this.#session?.closed === false;
  }

  /** The connection is about to end. Node knows it before the events that say why. */
  get isBroken(): boolean {
    return this.#socket.destroyed || this.#socket.readableEnded || this.#session?.destroyed !== false;
  }

  /** Opens an HTTP/2 stream; `undefined` when the session has used up its stream ids. */
  request(headers: OutgoingHttpHeaders): ClientHttp2Stream | undefined {
    const stream = this.#session?.request(headers);
    if (stream?.id !== undefined) return stream;
    stream?.on('error', () => undefined);
    return undefined;
  }

  /** Pings regularly and keeps the process alive while active. */
  setActive(isActive: boolean): void {
    this.#keepAlive.setActive(isActive);
    if (isActive) this.#socket.ref();
    else this.#socket.unref();
  }

  ping(): Promise<boolean> {
    return this.#keepAlive.ping();
  }

  /** Lets a broken connection end: Node would wait for the peer when it has sent a GOAWAY. */
  endBroken(): void {
    this.#socket.destroy();
  }

  /** Ends the connection at once, unless it has ended. */
  end(reason: TransportError): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#connectLimit.clear();
    this.#keepAlive.stop();
    this.#events.onEnd(reason, this.#lastStreamId);
    this.#session?.destroy();
    this.#socket.destroy();
  }

  #startSession(): void {
    const session = connect(UNUSED_URL, {
      createConnection: () => this.#socket,
      settings: {
        enablePush: false,
        initialWindowSize: STREAM_WINDOW_BYTES,
        maxHeaderListSize: MAX_HEADER_BYTES,
      },
      maxHeaderListPairs: MAX_HEADER_PAIRS,
    });
    this.#session = session;
    session.once('connect', () => {
      session.setLocalWindowSize(SESSION_WINDOW_BYTES);
    });
    session.on('remoteSettings', ({ maxConcurrentStreams = Infinity }: Settings) => {
      this.#hasSettings = true;
      this.#connectLimit.clear();
      this.#events.onSettings(maxConcurrentStreams);
    });
    session.on('goaway', (code: number, lastStreamId: number, debugData?: Buffer) => {
      this.#onGoaway(code, lastStreamId, debugData);
    });
    session.on('error', (error: Error) => {
      this.end(this.#brokenBy(error));
    });
  }

  #onGoaway(code: number, lastStreamId: number, debugData: Buffer | undefined): void {
    const text = textOf(debugData);
    const reason = `the peer ended the session with GOAWAY ${nameOfHttp2Code(code)}${text && ` (${text})`}`;
    this.#goaway = new TransportError('goaway', reason);
    this.#lastStreamId = lastStreamId;
    // With any other code, Node destroys the session after this event.
    if (code === constants.NGHTTP2_NO_ERROR) this.#events.onGoaway(lastStreamId, this.#goaway);
    else this.end(this.#goaway);
  }

  #brokenBy(cause: Error | undefined): TransportError {
    const failure = this.#hasSettings ? 'lost' : 'connect';
    return new TransportError(failure, cause?.message ?? 'the peer closed the connection', cause);
  }

  #sendPing(onAnswer: () => void): void {
    const session = this.#session;
    if (!session || this.isBroken) return;
    const onResult = (error: Error | null): void => {
      if (!error) onAnswer();
    };
    // After a GOAWAY, Node sends no pings; peers acknowledge empty SETTINGS as well.
    if (session.closed) session.settings({}, onResult);
    else session.ping(onResult);
  }
}

const textOf = (bytes: Buffer | undefined): string =>
  printable((bytes ?? Buffer.alloc(0)).toString('utf8', 0, MAX_DEBUG_BYTES));
