import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MessageDecoder, type MessageSink } from '../../../lib/etcd/transport/message-decoder.js';
import { grpcMessage } from '../../support/frames.js';

/** Below the part of an oversized message that is handed out, so that some are handed out whole. */
const LIMIT = 800;

/** Names of the messages as delivered: length and the byte they consist of. */
class Delivered implements MessageSink {
  readonly seen: string[] = [];
  afterEach: () => void = () => {};

  onMessage(bytes: Buffer): void {
    this.seen.push(describeBytes(bytes));
    this.afterEach();
  }

  onOversized(head: Buffer, length: number): void {
    this.seen.push(`oversized ${length}: ${describeBytes(head)}`);
    this.afterEach();
  }

  onInvalid(details: string): void {
    this.seen.push(details);
  }
}

function describeBytes(bytes: Buffer): string {
  const first = bytes[0] ?? 0;
  return bytes.every((byte) => byte === first) ? `${bytes.length} x ${first}` : 'mixed up';
}

const expectedOf = (length: number, byte: number): string => {
  const known = length === 0 ? 0 : byte;
  return length > LIMIT ? `oversized ${length}: ${Math.min(length, 1_024)} x ${known}` : `${length} x ${known}`;
};

function cut(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (let i = 0; at < bytes.length; i += 1) {
    const length = lengths[i % lengths.length] as number;
    chunks.push(bytes.subarray(at, at + length));
    at += length;
  }
  return chunks;
}

const messages = fc.array(
  fc.record({
    length: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 3 * LIMIT })),
    byte: fc.integer({ min: 1, max: 255 }),
  }),
  { maxLength: 30 },
);
const cuts = fc.array(fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 4_000 })), {
  minLength: 1,
  maxLength: 20,
});

describe('MessageDecoder', () => {
  it('delivers the same messages however the bytes are cut into chunks', () => {
    fc.assert(
      fc.property(messages, cuts, (sent, lengths) => {
        const delivered = new Delivered();
        const decoder = new MessageDecoder(delivered, LIMIT);

        const bytes = Buffer.concat(sent.map(({ length, byte }) => grpcMessage(Buffer.alloc(length, byte))));
        for (const chunk of cut(bytes, lengths)) decoder.push(chunk);

        expect(delivered.seen).toEqual(sent.map(({ length, byte }) => expectedOf(length, byte)));
        expect(decoder.isWithinMessage || decoder.isHolding).toBe(false);
      }),
    );
  });

  it('delivers nothing while paused, and everything in order after it', () => {
    fc.assert(
      fc.property(messages, cuts, fc.infiniteStream(fc.boolean()), (sent, lengths, pauses) => {
        const delivered = new Delivered();
        const decoder = new MessageDecoder(delivered, LIMIT);
        delivered.afterEach = () => {
          if (pauses.next().value === true) decoder.pause();
        };

        const bytes = Buffer.concat(sent.map(({ length, byte }) => grpcMessage(Buffer.alloc(length, byte))));
        for (const chunk of cut(bytes, lengths)) {
          const before = delivered.seen.length;
          if (decoder.isPaused) {
            decoder.push(chunk);
            expect(delivered.seen.length).toBe(before);
          } else decoder.push(chunk);
          if (pauses.next().value === true) decoder.resume();
        }
        while (decoder.isPaused) decoder.resume();

        expect(delivered.seen).toEqual(sent.map(({ length, byte }) => expectedOf(length, byte)));
        expect(decoder.isHolding).toBe(false);
      }),
    );
  });

  it('delivers nothing after it was stopped, not even from the same chunk', () => {
    fc.assert(
      fc.property(messages, cuts, fc.nat(30), (sent, lengths, stopAfter) => {
        const delivered = new Delivered();
        const decoder = new MessageDecoder(delivered, LIMIT);
        delivered.afterEach = () => {
          if (delivered.seen.length === stopAfter) decoder.stop();
        };

        const bytes = Buffer.concat(sent.map(({ length, byte }) => grpcMessage(Buffer.alloc(length, byte))));
        for (const chunk of cut(bytes, lengths)) decoder.push(chunk);
        decoder.resume();

        const expected = sent.map(({ length, byte }) => expectedOf(length, byte));
        expect(delivered.seen).toEqual(stopAfter === 0 ? expected : expected.slice(0, stopAfter));
      }),
    );
  });

  it('continues when a handler pauses and resumes at once', () => {
    const delivered = new Delivered();
    const decoder = new MessageDecoder(delivered, LIMIT);
    delivered.afterEach = () => {
      decoder.pause();
      decoder.resume();
    };

    decoder.push(Buffer.concat([1, 2, 3].map((byte) => grpcMessage(Buffer.alloc(4, byte)))));

    expect(delivered.seen).toEqual(['4 x 1', '4 x 2', '4 x 3']);
  });

  it('does not copy a message that is whole within a chunk', () => {
    const chunk = Buffer.concat([grpcMessage(Buffer.from('one')), grpcMessage(Buffer.from('two'))]);
    const buffers: ArrayBufferLike[] = [];
    const delivered = new Delivered();
    delivered.onMessage = (bytes) => buffers.push(bytes.buffer);

    new MessageDecoder(delivered, LIMIT).push(chunk);

    expect(buffers).toEqual([chunk.buffer, chunk.buffer]);
  });

  it('allocates for what has arrived, not for the length that the server announces', () => {
    const before = process.memoryUsage().arrayBuffers;
    const decoders = Array.from({ length: 1_000 }, () => {
      const decoder = new MessageDecoder(new Delivered(), 64 * 1_048_576);
      decoder.push(Buffer.from([0, 3, 255, 255, 255, 1, 2, 3]));
      return decoder;
    });

    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1_048_576);
    expect(decoders.every((decoder) => decoder.isWithinMessage)).toBe(true);
  });

  it.each([
    [1, 'the server sent a compressed message'],
    [7, 'the server sent a message with the flag 7'],
  ])('stops at the flag %i, at the start of a chunk and across chunks', (flag, details) => {
    const bytes = Buffer.concat([grpcMessage(Buffer.from('aa')), grpcMessage(Buffer.from('b'), flag)]);
    for (const size of [bytes.length, 1]) {
      const delivered = new Delivered();
      const decoder = new MessageDecoder(delivered, LIMIT);

      for (const chunk of cut(bytes, [size])) decoder.push(chunk);

      expect(delivered.seen).toEqual(['2 x 97', details]);
    }
  });

  it('knows when the bytes end within a prefix or a message', () => {
    const message = grpcMessage(Buffer.from('abc'));
    for (const length of [1, 4, 5, 7]) {
      const decoder = new MessageDecoder(new Delivered(), LIMIT);

      decoder.push(message.subarray(0, length));

      expect(decoder.isWithinMessage).toBe(true);
    }
  });
});
