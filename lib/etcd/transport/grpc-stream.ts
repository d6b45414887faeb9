import { type ClientHttp2Stream, constants, type IncomingHttpHeaders } from 'node:http2';
import { checkResponse, codeOfReset, readStatus } from './call-status.js';
import { Deadline } from './deadline.js';
import { GrpcCode } from './grpc-code.js';
import { GrpcError } from './grpc-error.js';
import { guardedCall } from './guarded-call.js';
import { nameOfHttp2Code } from './http2-codes.js';
import { MessageDecoder } from './message-decoder.js';
import { endWithMessage, writeMessage } from './message-writer.js';
import type { Metadata } from './request-headers.js';

export interface GrpcStreamHandlers {
  onHeaders?(headers: IncomingHttpHeaders): void;
  /** The bytes may be a view of what the socket has read; keeping them keeps up to a read buffer. */
  onMessage(bytes: Buffer): void;
  /**
   * A message exceeds the limit of the session: its first bytes, and its length. The rest is discarded and the stream goes on.
   * Without this handler the stream ends with RESOURCE_EXHAUSTED.
   */
  onOversized?(head: Buffer, length: number): void;
  /** Called once, with `undefined` for the status OK; not called after `cancel`. */
  onEnd(error: GrpcError | undefined): void;
}

export interface StreamOptions extends GrpcStreamHandlers {
  readonly metadata?: Metadata | undefined;
  /** Ends the call with DEADLINE_EXCEEDED. No limit without it. */
  readonly timeoutMs?: number | undefined;
  /**
   * Called at the end of the limit. Returns the milliseconds to wait longer, or 0 to end the call. With it, the server is
   * told no limit.
   */
  readonly extend?: (() => number) | undefined;
}

/**
 * One call: messages in both directions over one HTTP/2 stream. A handler that throws ends the call with INTERNAL, the
 * thrown value being the `cause`; one thrown by `onEnd` becomes a process warning.
 */
export class GrpcStream {
  readonly #http2: ClientHttp2Stream;
  readonly #handlers: GrpcStreamHandlers;
  readonly #maxMessageBytes: number;
  readonly #decoder: MessageDecoder;
  #deadline: Deadline | undefined;
  #state: 'open' | 'half-closed' | 'closed' = 'open';
  #hasAnswer = false;
  #trailers: IncomingHttpHeaders = {};
  #hasAllMessages = false;

  constructor(http2: ClientHttp2Stream, options: StreamOptions, maxMessageBytes: number) {
    const { timeoutMs, extend } = options;
    this.#http2 = http2;
    this.#handlers = options;
    this.#maxMessageBytes = maxMessageBytes;
    this.#decoder = new MessageDecoder(
      {
        onMessage: (bytes) => {
          options.onMessage(bytes);
        },
        onOversized: (head, length) => {
          this.#onOversized(head, length);
        },
        onInvalid: (details) => {
          this.fail(new GrpcError(GrpcCode.INTERNAL, details));
        },
      },
      maxMessageBytes,
    );
    if (timeoutMs !== undefined) this.#limit(timeoutMs, timeoutMs, extend);
    this.#listen(http2);
  }

  /** `half-closed`: the client has sent its last message. */
  get state(): 'open' | 'half-closed' | 'closed' {
    return this.#state;
  }

  #limit(ms: number, totalMs: number, extend: StreamOptions['extend']): void {
    this.#deadline = new Deadline(ms, () => {
      const more = extend?.() ?? 0;
      if (more > 0) this.#limit(more, totalMs + more, extend);
      else this.fail(new GrpcError(GrpcCode.DEADLINE_EXCEEDED, `no answer within ${Math.round(totalMs)} ms`));
    });
  }

  /** Sends a message; Node buffers what the server does not take yet. Ignored unless the stream is open. */
  write(message: Buffer): void {
    if (this.#state === 'open') writeMessage(this.#http2, message);
  }

  /** Sends the last message of the client. */
  writeLast(message: Buffer): void {
    if (this.#state !== 'open') return;
    this.#state = 'half-closed';
    endWithMessage(this.#http2, message);
  }

  /** Announces that no more messages follow. */
  halfClose(): void {
    if (this.#state !== 'open') return;
    this.#state = 'half-closed';
    this.#http2.end();
  }

  /** Ends the call at once: no handler is called any more. Node half-closes an open stream before it resets it. */
  cancel(): void {
    if (this.#state === 'closed') return;
    this.#close();
    this.#http2.close(constants.NGHTTP2_CANCEL);
  }

  /** Takes effect at once. The server can still send until the window of the stream is full. */
  pause(): void {
    if (this.#state === 'closed') return;
    this.#decoder.pause();
    this.#http2.pause();
  }

  /** Delivers what has arrived, within this call, until it is paused again. */
  resume(): void {
    if (this.#state === 'closed') return;
    this.#guard(() => {
      this.#decoder.resume();
    });
    if (this.#decoder.isPaused) return;
    // Data flows only after the headers were checked.
    if (this.#hasAnswer) this.#http2.resume();
    this.#finishIfDelivered();
  }

  /** Ends the call with an error, unless it has ended. */
  fail(error: GrpcError): void {
    if (this.#state === 'closed') return;
    this.#http2.close(constants.NGHTTP2_CANCEL);
    this.#end(error);
  }

  /** The HTTP/2 stream has been closed, by either side, while the session goes on. */
  onClosed(): void {
    if (this.#isComplete) return;
    const code = this.#hasAllMessages ? constants.NGHTTP2_NO_ERROR : this.#http2.rstCode;
    const isRefused = code === constants.NGHTTP2_REFUSED_STREAM && !this.#hasAnswer;
    this.#end(
      code === constants.NGHTTP2_NO_ERROR
        ? readStatus({})
        : new GrpcError(codeOfReset(code), `the stream was reset with ${nameOfHttp2Code(code)}`, {
            sent: isRefused ? 'no' : 'maybe',
          }),
    );
  }

  /** The session has ended, or gives up this stream. `isUnprocessed`: the peer said that it ignores the stream. */
  lose(details: string, cause: Error, isUnprocessed: boolean): void {
    if (this.#isComplete) return;
    const sent = isUnprocessed && !this.#hasAnswer ? 'no' : 'maybe';
    this.fail(new GrpcError(GrpcCode.UNAVAILABLE, details, { cause, sent }));
  }

  /** Everything has arrived; only a pause may delay its delivery. */
  get #isComplete(): boolean {
    return this.#hasAllMessages && this.#trailers['grpc-status'] !== undefined;
  }

  #listen(http2: ClientHttp2Stream): void {
    http2.once('response', (headers: IncomingHttpHeaders, flags: number) => {
      this.#onResponse(headers, (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0);
    });
    http2.once('trailers', (trailers: IncomingHttpHeaders) => {
      this.#trailers = trailers;
    });
    http2.once('end', () => {
      this.#onAllMessages();
    });
    // The session calls `onClosed` or `lose` next.
    http2.on('error', () => undefined);
  }

  #onResponse(headers: IncomingHttpHeaders, isEnd: boolean): void {
    if (this.#state === 'closed') return;
    this.#hasAnswer = true;
    const isTrailersOnly = isEnd && headers['grpc-status'] !== undefined;
    if (isTrailersOnly) this.#trailers = headers;
    const rejection = isTrailersOnly ? undefined : checkResponse(headers);
    if (rejection) {
      this.fail(rejection);
      return;
    }
    this.#guard(() => this.#handlers.onHeaders?.(headers));
    this.#http2.on('data', (chunk: Buffer) => {
      this.#onData(chunk);
    });
    // Explicitly, since an earlier pause and resume leave Node's stream paused.
    if (!this.#decoder.isPaused) this.#http2.resume();
  }

  #onData(chunk: Buffer): void {
    try {
      this.#decoder.push(chunk);
    } catch (cause) {
      this.#onThrown(cause);
    }
  }

  #onOversized(head: Buffer, length: number): void {
    if (this.#handlers.onOversized) {
      this.#handlers.onOversized(head, length);
      return;
    }
    const details = `a message of ${length} bytes exceeds the limit of ${this.#maxMessageBytes} bytes`;
    this.fail(new GrpcError(GrpcCode.RESOURCE_EXHAUSTED, details));
  }

  #onAllMessages(): void {
    this.#hasAllMessages = this.#hasAnswer;
    // The server has ended the call; whatever the client has not sent is not wanted any more.
    if (!this.#http2.writableFinished) this.#http2.close(constants.NGHTTP2_CANCEL);
    this.#finishIfDelivered();
  }

  /** Ends the call by its status, once all messages have been delivered. */
  #finishIfDelivered(): void {
    if (this.#state === 'closed' || !this.#isComplete || this.#decoder.isHolding) return;
    const status = readStatus(this.#trailers);
    const isCut = status === undefined && this.#decoder.isWithinMessage;
    this.#end(isCut ? new GrpcError(GrpcCode.INTERNAL, 'the server ended the call within a message') : status);
  }

  #guard(run: () => void): void {
    try {
      run();
    } catch (cause) {
      this.#onThrown(cause);
    }
  }

  #onThrown(cause: unknown): void {
    this.fail(new GrpcError(GrpcCode.INTERNAL, 'a handler of the stream threw an error', { cause }));
  }

  #end(error: GrpcError | undefined): void {
    if (this.#state === 'closed') return;
    this.#close();
    guardedCall(() => {
      this.#handlers.onEnd(error);
    });
  }

  #close(): void {
    this.#state = 'closed';
    this.#decoder.stop();
    this.#deadline?.clear();
  }
}
