import { Deadline } from './deadline.js';
import { GrpcCode } from './grpc-code.js';
import { GrpcError } from './grpc-error.js';
import type { GrpcStream, StreamOptions } from './grpc-stream.js';
import type { Metadata } from './request-headers.js';

export interface UnaryOptions {
  readonly metadata?: Metadata | undefined;
  /** Includes the time spent waiting for a stream. No limit without it. */
  readonly timeoutMs?: number | undefined;
  /** See `StreamOptions.extend`. */
  readonly extend?: (() => number) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The session, as far as a unary call needs it. */
export interface StreamOpener {
  /** No stream is free now, but one may become free. */
  readonly isFull: boolean;
  openStream(path: string, options: StreamOptions): GrpcStream;
  whenFree(run: () => void): () => void;
}

type Outcome = Buffer | GrpcError;

/** One request and its one answer. */
export class UnaryCall {
  readonly #session: StreamOpener;
  readonly #path: string;
  readonly #request: Buffer;
  readonly #options: UnaryOptions;
  readonly #onOutcome: (outcome: Outcome) => void;
  #stream: GrpcStream | undefined;
  #answer: Buffer | undefined;
  #waitLimit: Deadline | undefined;
  #stopWaiting: (() => void) | undefined;

  constructor(
    session: StreamOpener,
    path: string,
    request: Buffer,
    options: UnaryOptions,
    onOutcome: (outcome: Outcome) => void,
  ) {
    this.#session = session;
    this.#path = path;
    this.#request = request;
    this.#options = options;
    this.#onOutcome = onOutcome;
  }

  start(): void {
    const { signal, timeoutMs } = this.#options;
    if (signal?.aborted) {
      this.#abort();
      return;
    }
    signal?.addEventListener('abort', this.#abort);
    if (this.#session.isFull) this.#wait();
    else this.#open(timeoutMs);
  }

  #wait(): void {
    const { timeoutMs } = this.#options;
    const startedAt = performance.now();
    this.#stopWaiting = this.#session.whenFree(() => {
      this.#waitLimit?.clear();
      this.#open(timeoutMs === undefined ? undefined : Math.max(1, startedAt + timeoutMs - performance.now()));
    });
    if (timeoutMs === undefined) return;
    this.#waitLimit = new Deadline(timeoutMs, () => {
      this.#settle(
        new GrpcError(GrpcCode.DEADLINE_EXCEEDED, `no stream was free within ${timeoutMs} ms`, { sent: 'no' }),
      );
    });
  }

  #open(timeoutMs: number | undefined): void {
    const { metadata, extend } = this.#options;
    try {
      this.#stream = this.#session.openStream(this.#path, {
        metadata,
        timeoutMs,
        extend,
        onMessage: (bytes) => {
          this.#onMessage(bytes);
        },
        onEnd: (error) => {
          this.#settle(error ?? this.#answer ?? new GrpcError(GrpcCode.INTERNAL, 'the server sent no answer'));
        },
      });
      this.#stream.writeLast(this.#request);
    } catch (error) {
      this.#settle(error as GrpcError);
    }
  }

  #onMessage(bytes: Buffer): void {
    if (this.#answer === undefined) this.#answer = bytes;
    else this.#stream?.fail(new GrpcError(GrpcCode.INTERNAL, 'the server sent more than one answer'));
  }

  readonly #abort = (): void => {
    const sent = this.#stream ? 'maybe' : 'no';
    const cause: unknown = this.#options.signal?.reason;
    this.#stream?.cancel();
    this.#settle(new GrpcError(GrpcCode.CANCELLED, 'the call was aborted', { cause, sent }));
  };

  #settle(outcome: Outcome): void {
    this.#options.signal?.removeEventListener('abort', this.#abort);
    this.#waitLimit?.clear();
    this.#stopWaiting?.();
    this.#onOutcome(outcome);
  }
}
