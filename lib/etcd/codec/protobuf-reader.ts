import type { KeyInterner } from './key-interner.js';
import { latin1Of, copyBytes } from './bytes.js';

/**
 * Reads protocol buffers (https://protobuf.dev/programming-guides/encoding) straight from the bytes of a message, without objects in between:
 * for watch events this is what makes the difference to a generic decoder. Numbers are checked: what does not fit a safe integer throws.
 */
export class ProtobufReader {
  position: number;
  end: number;

  /** `isPiece`: the bytes are so few that any of them may keep all of them. */
  constructor(
    readonly bytes: Buffer,
    readonly isDetached = false,
  ) {
    this.position = 0;
    this.end = bytes.length;
  }

  /** Goes on reading from there. */
  at(position: number): this {
    this.position = position;
    return this;
  }

  /** Tag of the next field (`fieldNumber << 3 | wireType`), 0 at the end. */
  tag(): number {
    if (this.position >= this.end) return 0;
    const byte = this.bytes[this.position] as number;
    if (byte >= 0x80) return this.uint();
    this.position += 1;
    return byte;
  }

  /** A varint as a safe integer; negative int64 do not occur in what is read here. */
  uint(): number {
    const { bytes } = this;
    let { position } = this;
    let byte = bytes[position++] as number;
    if (byte < 0x80 && position <= this.end) {
      this.position = position;
      return byte;
    }
    let value = byte & 0x7f;
    // As integers as far as these go, which is 2^28.
    for (let shift = 7; byte >= 0x80 && shift < 28; shift += 7) {
      byte = bytes[position++] as number;
      value |= (byte & 0x7f) << shift;
    }
    for (let factor = 2 ** 28; byte >= 0x80; factor *= 0x80) {
      if (factor > 2 ** 56) throw new RangeError('a number in the message is larger than 2^53');
      byte = bytes[position++] as number;
      value += (byte & 0x7f) * factor;
    }
    if (position > this.end) throw new RangeError('the message is shorter than it says');
    if (!Number.isSafeInteger(value)) throw new RangeError('a number in the message is larger than 2^53');
    this.position = position;
    return value;
  }

  /** A 64-bit varint as decimal text: ids of leases and clusters exceed 2^53. */
  decimal(): string {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value.toString();
      if (shift > 63n) throw new RangeError('a varint in the message is longer than ten bytes');
    }
  }

  bool(): boolean {
    return this.uint() !== 0;
  }

  /** Position at which the length-delimited field that begins here ends. */
  limit(): number {
    const length = this.uint();
    const limit = this.position + length;
    if (limit > this.end) throw new RangeError('the message is shorter than it says');
    return limit;
  }

  text(): string {
    const limit = this.limit();
    const text = this.bytes.toString('utf8', this.position, limit);
    this.position = limit;
    return text;
  }

  /** One char a byte: compares in byte order, exact for any key. `interner`: texts that may be the same. */
  latin1(interner?: KeyInterner): string {
    const limit = this.limit();
    const text = interner
      ? interner.textOf(this.bytes, this.position, limit)
      : latin1Of(this.bytes, this.position, limit);
    this.position = limit;
    return text;
  }

  /** As text with one char a byte up to the given length, else as bytes: a copy, unless keeping them keeps little else. */
  packed(maxText: number): string | Buffer {
    const limit = this.limit();
    const { bytes, position } = this;
    this.position = limit;
    const length = limit - position;
    if (length <= maxText) return latin1Of(bytes, position, limit);
    const view = bytes.subarray(position, limit);
    return this.isDetached || length * 2 > bytes.buffer.byteLength ? view : copyBytes(view);
  }

  skip(tag: number): void {
    switch (tag & 7) {
      case 0:
        while (this.byte() >= 0x80);
        return;
      case 1:
        this.position += 8;
        return;
      case 2:
        this.position = this.limit();
        return;
      case 5:
        this.position += 4;
        return;
      default:
        throw new RangeError(`wire type ${tag & 7} does not occur in etcd's messages`);
    }
  }

  private byte(): number {
    const { position } = this;
    if (position >= this.end) throw new RangeError('the message is shorter than it says');
    this.position = position + 1;
    return this.bytes[position] as number;
  }
}
