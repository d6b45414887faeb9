const VARINT = 0;
const LENGTH_DELIMITED = 2;
const FIRST_CAPACITY = 256;
const MAX_VARINT_BYTES = 10;

/**
 * Writes a message in protocol buffers (https://protobuf.dev/programming-guides/encoding), field by field. Fields with
 * their default value are left out, as proto3 does; nested messages are always written, since their presence means
 * something.
 */
export class ProtobufWriter {
  #bytes = Buffer.allocUnsafe(FIRST_CAPACITY);
  #length = 0;

  /** An integer from 0 to 2^53 - 1. */
  uint(field: number, value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is not an unsigned safe integer`);
    return value === 0 ? this : this.presentUint(field, value);
  }

  /** Like `uint`, but also written when it is 0, as a field of a `oneof` needs it. */
  presentUint(field: number, value: number): this {
    this.#tag(field, VARINT);
    this.#varint(value);
    return this;
  }

  /** An int64 as decimal text. */
  int64(field: number, value: string): this {
    if (value === '0') return this;
    const signed = BigInt(value);
    if (BigInt.asIntN(64, signed) !== signed) throw new RangeError(`${value} is not a 64-bit integer`);
    if (signed === 0n) return this;
    this.#tag(field, VARINT);
    this.#reserve(MAX_VARINT_BYTES);
    const unsigned = BigInt.asUintN(64, signed);
    // Numbers are faster: the upper bits are exact in one, and the lower ones in groups of seven.
    let upper = Number(unsigned >> 28n);
    let lower = Number(unsigned & 0xfffffffn);
    if (upper === 0) {
      this.#varint(lower);
      return this;
    }
    for (let group = 0; group < 4; group += 1, lower >>>= 7) this.#byte((lower & 0x7f) | 0x80);
    for (; upper >= 0x80; upper = Math.floor(upper / 0x80)) this.#byte((upper % 0x80) | 0x80);
    this.#byte(upper);
    return this;
  }

  bool(field: number, value: boolean): this {
    return this.uint(field, value ? 1 : 0);
  }

  bytes(field: number, value: Uint8Array): this {
    if (value.length === 0) return this;
    this.#lengthDelimited(field, value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /** A bytes field from text with one character a byte. */
  latin1(field: number, value: string): this {
    return this.#text(field, value, value.length, 'latin1');
  }

  text(field: number, value: string): this {
    return this.#text(field, value, Buffer.byteLength(value), 'utf8');
  }

  /** A nested message; `write` adds its fields to this writer. */
  message(field: number, write: (writer: this) => void): this {
    this.#tag(field, LENGTH_DELIMITED);
    this.#reserve(1);
    const start = this.#length + 1;
    this.#length = start;
    write(this);
    this.#insertLength(start);
    return this;
  }

  /** The message written so far, without a copy: the writer must not be used afterwards. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #text(field: number, value: string, length: number, encoding: 'latin1' | 'utf8'): this {
    if (length === 0) return this;
    this.#lengthDelimited(field, length);
    this.#length += this.#bytes.write(value, this.#length, encoding);
    return this;
  }

  #lengthDelimited(field: number, length: number): void {
    this.#tag(field, LENGTH_DELIMITED);
    this.#varint(length);
    this.#reserve(length);
  }

  #tag(field: number, wireType: number): void {
    this.#varint(field * 8 + wireType);
  }

  #varint(value: number): void {
    this.#reserve(MAX_VARINT_BYTES);
    let rest = value;
    // Bitwise operations are exact for 32 bits only.
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#byte((rest % 0x80) | 0x80);
    this.#byte(rest);
  }

  /** One byte was left for the length; a longer one moves the nested message. */
  #insertLength(start: number): void {
    const end = this.#length;
    const length = end - start;
    const extra = varintBytes(length) - 1;
    if (extra > 0) {
      this.#reserve(extra);
      this.#bytes.copyWithin(start + extra, start, end);
    }
    this.#length = start - 1;
    this.#varint(length);
    this.#length = end + extra;
  }

  #byte(byte: number): void {
    this.#bytes[this.#length] = byte;
    this.#length += 1;
  }

  #reserve(extra: number): void {
    const needed = this.#length + extra;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes += 1;
  return bytes;
}
