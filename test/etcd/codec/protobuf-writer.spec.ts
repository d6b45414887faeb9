import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { ProtobufWriter } from '../../../lib/etcd/codec/protobuf-writer.js';

const { root } = protobuf.parse(`
  syntax = "proto3";
  message Sample {
    uint64 number = 1;
    int64 lease = 2;
    bool flag = 3;
    bytes key = 4;
    string text = 5;
    repeated Sample parts = 16;
  }
`);
const Sample = root.lookupType('Sample');

interface Fields {
  readonly number: number;
  readonly lease: bigint;
  readonly flag: boolean;
  readonly key: Uint8Array;
  readonly text: string;
  readonly parts: readonly Fields[];
}

function write(writer: ProtobufWriter, { number, lease, flag, key, text, parts }: Fields): ProtobufWriter {
  writer.uint(1, number).int64(2, lease.toString()).bool(3, flag).bytes(4, key).text(5, text);
  for (const part of parts) {
    writer.message(16, (nested) => {
      write(nested, part);
    });
  }
  return writer;
}

/** In the shape that protobufjs decodes to, with its defaults. */
function plain({ number, lease, flag, key, text, parts }: Fields): object {
  const base64 = Buffer.from(key).toString('base64');
  return { number: String(number), lease: lease.toString(), flag, key: base64, text, parts: parts.map(plain) };
}

const { sample } = fc.letrec<{ sample: Fields }>((tie) => ({
  sample: fc.record({
    number: fc.oneof(fc.maxSafeNat(), fc.nat(300)),
    lease: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    flag: fc.boolean(),
    key: fc.uint8Array({ maxLength: 300 }),
    text: fc.string({ unit: 'grapheme' }),
    parts: fc.oneof({ depthSize: 'small' }, fc.constant([]), fc.array(tie('sample'), { maxLength: 3 })),
  }),
}));

describe('ProtobufWriter', () => {
  it('writes what another implementation reads', () => {
    fc.assert(
      fc.property(sample, (fields) => {
        const bytes = write(new ProtobufWriter(), fields).finish();

        const read = Sample.toObject(Sample.decode(bytes), { longs: String, bytes: String, defaults: true });
        expect(read).toEqual(plain(fields));
      }),
    );
  });

  it('moves a nested message whose length takes several bytes', () => {
    const key = Buffer.alloc(3_000_000, 'k');
    const bytes = new ProtobufWriter().message(16, (part) => part.message(16, (inner) => inner.bytes(4, key))).finish();

    const read = Sample.toObject(Sample.decode(bytes)) as { parts: { parts: { key: Buffer }[] }[] };
    expect(read.parts[0]?.parts[0]?.key.equals(key)).toBe(true);
  });

  it('leaves out default values, but not nested messages', () => {
    const bytes = new ProtobufWriter()
      .uint(1, 0)
      .int64(2, '0')
      .bool(3, false)
      .bytes(4, Buffer.alloc(0))
      .latin1(4, '')
      .text(5, '')
      .message(16, () => {})
      .finish();

    expect(bytes.toString('hex')).toBe('820100');
  });

  it('writes text with one character a byte as those bytes', () => {
    expect(new ProtobufWriter().latin1(4, 'a\xff\0').finish().toString('hex')).toBe('220361ff00');
  });

  it.each([-1, 1.5, 2 ** 53, Number.NaN])('rejects %d as an unsigned integer', (value) => {
    expect(() => new ProtobufWriter().uint(1, value)).toThrow('is not an unsigned safe integer');
  });

  it('rejects what does not fit 64 bits', () => {
    expect(() => new ProtobufWriter().int64(1, '9223372036854775808')).toThrow('is not a 64-bit integer');
  });
});
