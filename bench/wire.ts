/** The part of protocol buffers that is needed to build requests and to split watch responses into undecoded fields. */

export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}

export const numberField = (number: number, value: number): Buffer =>
  Buffer.concat([varint(number * 8), varint(value)]);

export const bytesField = (number: number, value: Buffer): Buffer =>
  Buffer.concat([varint(number * 8 + 2), varint(value.length), value]);

export interface WireField {
  readonly number: number;
  /** Tag, length and content. */
  readonly whole: Buffer;
}

export function* fieldsOf(message: Buffer): Generator<WireField> {
  let position = 0;
  const read = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 0x80) {
      const byte = message[position] ?? 0;
      position += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  };
  while (position < message.length) {
    const start = position;
    const tag = read();
    const length = read();
    if ((tag & 7) === 2) position += length;
    yield { number: tag >> 3, whole: message.subarray(start, position) };
  }
}
