import type { KeyInterner } from './key-interner.js';
import { latin1Of, copyBytes } from './bytes.js';

/**
 * Reads protocol buffers (https://protobuf.dev/programming-guides/encoding) from the bytes of a message, without
 * intermediate objects. Numbers that are not safe integers throw a RangeError.
 */
export class ProtobufReader {
  position: number;
  end: number;

  /** `isDetached`: the bytes are few enough that a value may keep all of them in memory. */
  constructor(
    readonly bytes: Buffer,
    readonly isDetached = false,
  ) {
    this.position = 0;
    this.end = bytes.length;
  }

  /** Continues reading at this position. */
  at(position: number): this {
    this.position = position;
    return this;
  }

  /** Reads the tag of the next field (`fieldNumber << 3 | wireType`). Returns 0 at the end. */
  tag(): number {
    if (this.position >= this.end) return 0;
    const byte = this.bytes[this.position] as number;
    if (byte >= 0x80) return this.uint();
    this.position += 1;
    return byte;
  }

  /** Reads a varint as a safe integer. Negative values are not supported. */
  uint(): number {
    const { bytes } = this;
    let { position } = this;
    let byte = bytes[position++] as number;
    if (byte < 0x80 && position <= this.end) {
      this.position = position;
      return byte;
    }
    let value = byte & 0x7f;
    // Bitwise operations are exact up to 2^28.
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

  /** Reads an int64. Every negative value is read as -1, the only one that occurs in watch ids. */
  int(): number {
    const { bytes, position } = this;
    // A negative int64 takes ten bytes, of which the last one is 1.
    if (position + 10 <= this.end && (bytes[position + 8] as number) >= 0x80 && bytes[position + 9] === 1) {
      let length = 0;
      while ((bytes[position + length] as number) >= 0x80) length += 1;
      if (length === 9) {
        this.position = position + 10;
        return -1;
      }
    }
    return this.uint();
  }

  /** Reads a 64-bit varint as decimal text, because ids of leases and clusters exceed 2^53. */
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

  /** Reads the length of a length-delimited field. Returns the position of its end. */
  limit(): number {
    const length = this.uint();
    const limit = this.position + length;
    if (limit > this.end) throw new RangeError('the message is shorter than it says');
    return limit;
  }

  /** Reads the nested message that begins here with the given function, which sees nothing beyond its end. */
  nested<T>(read: () => T): T {
    const limit = this.limit();
    const outer = this.end;
    this.end = limit;
    const result = read();
    this.end = outer;
    return result;
  }

  text(): string {
    const limit = this.limit();
    const text = this.bytes.toString('utf8', this.position, limit);
    this.position = limit;
    return text;
  }

  /** Reads bytes as text with one char a byte, which is exact for any key and compares in byte order. */
  latin1(interner?: KeyInterner): string {
    const limit = this.limit();
    const text = interner
      ? interner.textOf(this.bytes, this.position, limit)
      : latin1Of(this.bytes, this.position, limit);
    this.position = limit;
    return text;
  }

  /** Reads short bytes as text with one char a byte. Longer ones are copied, unless a view keeps little else in memory. */
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
