import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

// Constants of RFC 9113, sections 3.4, 4.1, 5.1, 6.5 and 6.9.
const PREFACE_BYTES = 24;
const HEADER_BYTES = 9;
const DATA = 0;
const SETTINGS = 4;
const WINDOW_UPDATE = 8;
const INITIAL_WINDOW_SIZE = 4;
const DEFAULT_WINDOW = 65_535;
const MAX_FRAME_BYTES = 16_384;
const CONNECTION = 0;

/** Length of the flag and the length field before each gRPC message. */
const PREFIX_BYTES = 5;
/** Size of one write to the socket, as in etcd's server. */
const WRITE_BYTES = 32_768;

/**
 * The server's end of a connection. It forwards the frames of `node:http2` and can also send messages past it, each in
 * its own DATA frame like etcd does, because `node:http2` would make the server the bottleneck. For these messages it
 * does the flow control itself.
 */
export class FrameConnection extends Duplex {
  readonly #socket: Socket;
  /** Bytes that may be sent. For a stream, the value is relative to its initial window. */
  readonly #windows = new Map<number, number>([[CONNECTION, DEFAULT_WINDOW]]);
  #initialWindow = DEFAULT_WINDOW;
  #unread = Buffer.alloc(0);
  #preface = PREFACE_BYTES;
  readonly #blocked = new Set<() => void>();

  constructor(socket: Socket) {
    super();
    this.#socket = socket;
    socket.setNoDelay();
    socket.on('data', (chunk) => {
      this.#inspect(chunk);
      this.push(chunk);
    });
    socket.on('end', () => this.push(null));
    socket.on('error', () => undefined);
    socket.on('close', () => this.destroy());
  }

  /** Accounts for a message that `node:http2` has sent. */
  sent(stream: number, message: Buffer): void {
    this.#spend(stream, PREFIX_BYTES + message.length);
  }

  /** Sends the messages as fast as flow control permits, until `isOver` returns true. */
  send(stream: number, messages: Iterable<Buffer>, isOver: () => boolean): void {
    const frames = framesOf(messages);
    let next = frames.next();
    const write = (): void => {
      this.#blocked.delete(write);
      if (isOver()) return;
      const chunk = Buffer.allocUnsafe(WRITE_BYTES);
      let end = 0;
      while (next.done !== true) {
        const { length } = next.value;
        if (end + HEADER_BYTES + length > WRITE_BYTES || length > this.#window(stream)) break;
        this.#spend(stream, length);
        end = writeFrame(chunk, end, stream, next.value);
        next = frames.next();
      }
      if (end > 0) this.#socket.write(chunk.subarray(0, end), write);
      else if (next.done !== true) this.#blocked.add(write);
    };
    write();
  }

  override _read(): void {
    // Data from the socket is pushed immediately, because clients send little.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, written: () => void): void {
    this.#socket.write(chunk);
    written();
  }

  /** Writes all chunks in one turn, so that no other data separates the parts of a frame. */
  override _writev(chunks: { chunk: Buffer }[], written: () => void): void {
    for (const { chunk } of chunks) this.#socket.write(chunk);
    written();
  }

  override _destroy(error: Error | null, destroyed: (error: Error | null) => void): void {
    this.#socket.destroy();
    destroyed(error);
  }

  #window(stream: number): number {
    return Math.min(this.#windows.get(CONNECTION) ?? 0, this.#initialWindow + (this.#windows.get(stream) ?? 0));
  }

  #spend(stream: number, bytes: number): void {
    for (const id of [CONNECTION, stream]) this.#windows.set(id, (this.#windows.get(id) ?? 0) - bytes);
  }

  #inspect(chunk: Buffer): void {
    const preface = Math.min(this.#preface, chunk.length);
    this.#preface -= preface;
    let rest = Buffer.concat([this.#unread, chunk.subarray(preface)]);
    while (rest.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + rest.readUIntBE(0, 3);
      if (rest.length < end) break;
      this.#onFrame(rest.readUInt8(3), rest.readUInt32BE(5), rest.subarray(HEADER_BYTES, end));
      rest = rest.subarray(end);
    }
    this.#unread = rest;
  }

  #onFrame(type: number, stream: number, payload: Buffer): void {
    if (type === SETTINGS) {
      for (let at = 0; at < payload.length; at += 6) {
        if (payload.readUInt16BE(at) === INITIAL_WINDOW_SIZE) this.#initialWindow = payload.readUInt32BE(at + 2);
      }
    } else if (type === WINDOW_UPDATE) {
      this.#windows.set(stream, (this.#windows.get(stream) ?? 0) + payload.readUInt32BE(0));
    } else return;
    for (const write of [...this.#blocked]) write();
  }
}

interface Frame {
  /** Length of the payload. */
  readonly length: number;
  /** Length of the whole message. Set only for its first frame. */
  readonly messageLength?: number;
  readonly bytes: Buffer;
}

function* framesOf(messages: Iterable<Buffer>): Generator<Frame> {
  for (const message of messages) {
    const first = message.subarray(0, MAX_FRAME_BYTES - PREFIX_BYTES);
    yield { length: PREFIX_BYTES + first.length, messageLength: message.length, bytes: first };
    for (let at = first.length; at < message.length; at += MAX_FRAME_BYTES) {
      const bytes = message.subarray(at, at + MAX_FRAME_BYTES);
      yield { length: bytes.length, bytes };
    }
  }
}

/** @returns the end position of the frame */
function writeFrame(target: Buffer, start: number, stream: number, { length, messageLength, bytes }: Frame): number {
  let at = target.writeUIntBE(length, start, 3);
  at = target.writeUInt16BE(DATA, at);
  at = target.writeUInt32BE(stream, at);
  if (messageLength !== undefined) at = target.writeUInt32BE(messageLength, target.writeUInt8(0, at));
  return at + bytes.copy(target, at);
}
