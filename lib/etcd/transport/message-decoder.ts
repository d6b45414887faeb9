import { PartialMessage } from './partial-message.js';

/** Compressed flag and length, before each message of gRPC. */
const PREFIX_BYTES = 5;
const UNCOMPRESSED = 0;
/** The part of an oversized message that is handed out. */
const HEAD_BYTES = 1_024;
const EMPTY = Buffer.alloc(0);

export interface MessageSink {
  onMessage(bytes: Buffer): void;
  /** The message exceeds the limit. The decoder discards it as it arrives and then continues. */
  onOversized(head: Buffer, length: number): void;
  /** The bytes are no messages of gRPC, or are compressed. The decoder has stopped. */
  onInvalid(details: string): void;
}

/**
 * Cuts the bytes of a stream into messages. A message that is whole within a chunk is a view of it, so keeping it keeps
 * the chunk; any other is assembled once.
 */
export class MessageDecoder {
  readonly #sink: MessageSink;
  readonly #maxBytes: number;
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  #prefixBytes = 0;
  #partial: PartialMessage | undefined;
  /** The bytes that a pause left undelivered. */
  #held: Buffer | undefined;
  #isPaused = false;
  #isStopped = false;
  #isDecoding = false;

  constructor(sink: MessageSink, maxBytes: number) {
    this.#sink = sink;
    this.#maxBytes = maxBytes;
  }

  /** Bytes have been pushed that are not delivered yet. */
  get isHolding(): boolean {
    return this.#held !== undefined || this.#isDecoding;
  }

  /** A part of a message has arrived, and the rest has not. */
  get isWithinMessage(): boolean {
    return this.#partial !== undefined || this.#prefixBytes > 0;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  push(chunk: Buffer): void {
    if (this.#isStopped) return;
    if (this.#isPaused || this.#held) this.#held = this.#held ? Buffer.concat([this.#held, chunk]) : chunk;
    else this.#decode(chunk);
  }

  /** Takes effect at once, within a chunk too. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    const held = this.#held;
    if (!held || this.#isDecoding) return;
    this.#held = undefined;
    this.#decode(held);
  }

  /** Nothing is delivered after it. */
  stop(): void {
    this.#isStopped = true;
    this.#held = undefined;
    this.#partial = undefined;
    this.#prefixBytes = 0;
  }

  #decode(chunk: Buffer): void {
    const end = chunk.length;
    let at = 0;
    this.#isDecoding = true;
    while (at < end && !this.#isPaused && !this.#isStopped) {
      if (this.#partial) {
        at = this.#continue(this.#partial, chunk, at);
      } else if (this.#prefixBytes > 0 || end - at < PREFIX_BYTES) {
        at = this.#gatherPrefix(chunk, at);
      } else if (chunk[at] !== UNCOMPRESSED) {
        this.#reject(chunk[at] as number);
      } else {
        const start = at + PREFIX_BYTES;
        const length = lengthAt(chunk, at + 1);
        if (length > this.#maxBytes || start + length > end) {
          this.#begin(length);
          at = start;
        } else {
          at = start + length;
          this.#sink.onMessage(chunk.subarray(start, at));
        }
      }
    }
    this.#isDecoding = false;
    if (at < end) this.#hold(chunk.subarray(at));
  }

  #hold(rest: Buffer): void {
    if (!this.#isStopped) this.#held = rest;
  }

  #continue(partial: PartialMessage, chunk: Buffer, start: number): number {
    const wasKept: boolean = partial.isKept;
    const at = start + partial.append(chunk, start);
    if (partial.isComplete) this.#partial = undefined;
    if (wasKept || !partial.isKept) return at;
    if (partial.length > this.#maxBytes) this.#sink.onOversized(partial.bytes, partial.length);
    else this.#sink.onMessage(partial.bytes);
    return at;
  }

  #gatherPrefix(chunk: Buffer, start: number): number {
    const taken = chunk.copy(this.#prefix, this.#prefixBytes, start);
    this.#prefixBytes += taken;
    if (this.#prefixBytes < PREFIX_BYTES) return start + taken;
    this.#prefixBytes = 0;
    const flag = this.#prefix[0] as number;
    const length = lengthAt(this.#prefix, 1);
    if (flag !== UNCOMPRESSED) this.#reject(flag);
    else if (length > 0) this.#begin(length);
    else this.#sink.onMessage(EMPTY);
    return start + taken;
  }

  #begin(length: number): void {
    const keep = length > this.#maxBytes ? Math.min(length, HEAD_BYTES) : length;
    this.#partial = new PartialMessage(length, keep);
  }

  #reject(flag: number): void {
    this.stop();
    this.#sink.onInvalid(
      flag === 1 ? 'the server sent a compressed message' : `the server sent a message with the flag ${flag}`,
    );
  }
}

/** Several times as fast as `readUInt32BE`, which checks its arguments. */
const lengthAt = (bytes: Buffer, at: number): number =>
  (bytes[at] as number) * 0x1000000 +
  (((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number));
