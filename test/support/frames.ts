/** Frames of HTTP/2 written by hand (RFC 9113, sections 4 and 6), for peers that do what no library would do. */
export const FrameType = {
  DATA: 0,
  HEADERS: 1,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

export const END_STREAM = 0x1;
export const ACK = 0x1;
export const END_HEADERS = 0x4;
/** The bytes that a client sends before its first frame. */
export const PREFACE_BYTES = 24;
export const HEADER_BYTES = 9;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

export function settings(values: Readonly<Record<number, number>> = {}): Buffer {
  const pairs = Object.entries(values).map(([id, value]) => {
    const pair = Buffer.alloc(6);
    pair.writeUInt16BE(Number(id), 0);
    pair.writeUInt32BE(value, 2);
    return pair;
  });
  return frame(FrameType.SETTINGS, 0, 0, Buffer.concat(pairs));
}

export const settingsAck = (): Buffer => frame(FrameType.SETTINGS, ACK, 0);

export function windowUpdate(stream: number, increment: number): Buffer {
  return frame(FrameType.WINDOW_UPDATE, 0, stream, uint32(increment));
}

export function goaway(lastStream: number, code: number, debug = ''): Buffer {
  return frame(FrameType.GOAWAY, 0, 0, Buffer.concat([uint32(lastStream), uint32(code), Buffer.from(debug, 'latin1')]));
}

export const reset = (stream: number, code: number): Buffer => frame(FrameType.RST_STREAM, 0, stream, uint32(code));

/** Each field as a literal that is not indexed (RFC 7541, section 6.2.2), its strings without Huffman coding. */
export function headerBlock(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), hpackString(name), hpackString(value)]));
}

export const RESPONSE_FIELDS = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
] as const;

export const responseHeaders = (stream: number): Buffer =>
  frame(FrameType.HEADERS, END_HEADERS, stream, headerBlock(RESPONSE_FIELDS));

export const trailers = (stream: number, status: number | string): Buffer =>
  frame(FrameType.HEADERS, END_HEADERS | END_STREAM, stream, headerBlock([['grpc-status', String(status)]]));

export const data = (stream: number, payload: Buffer): Buffer => frame(FrameType.DATA, 0, stream, payload);

/** A message with its prefix. */
export function grpcMessage(message: Buffer, flag = 0): Buffer {
  return Buffer.concat([Buffer.from([flag]), uint32(message.length), message]);
}

/** Reads the frames that a client sends, after its preface. */
export class FrameReader {
  #unread = Buffer.alloc(0);
  #preface = PREFACE_BYTES;

  *read(chunk: Buffer): Generator<Frame> {
    const preface = Math.min(this.#preface, chunk.length);
    this.#preface -= preface;
    this.#unread = Buffer.concat([this.#unread, chunk.subarray(preface)]);
    while (this.#unread.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + this.#unread.readUIntBE(0, 3);
      if (this.#unread.length < end) return;
      const bytes = this.#unread.subarray(0, end);
      this.#unread = this.#unread.subarray(end);
      yield {
        type: bytes.readUInt8(3),
        flags: bytes.readUInt8(4),
        stream: bytes.readUInt32BE(5),
        payload: bytes.subarray(HEADER_BYTES),
      };
    }
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Length with a prefix of seven bits (RFC 7541, section 5.1). */
function hpackString(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  const length: number[] = [];
  if (bytes.length < 0x7f) length.push(bytes.length);
  else {
    length.push(0x7f);
    let rest = bytes.length - 0x7f;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) length.push((rest % 0x80) | 0x80);
    length.push(rest);
  }
  return Buffer.concat([Buffer.from(length), bytes]);
}
