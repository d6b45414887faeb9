import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { data, FrameType, grpcMessage, responseHeaders, trailers } from '../../support/frames.js';
import { RecordedStream, sessions } from '../../support/grpc-session.js';
import { RawHttp2Server } from '../../support/raw-http2-server.js';

const { open, after } = sessions();

const SCENARIO = fc.record({
  lengths: fc.array(fc.oneof(fc.nat(20), fc.nat(3_000), fc.nat(60_000)), { maxLength: 40 }),
  /** Lengths of DATA frames, in turn. */
  cuts: fc.array(fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 16_384 })), {
    minLength: 1,
    maxLength: 10,
  }),
  /** After each message, in turn: pause there? */
  pauses: fc.array(fc.boolean(), { minLength: 1, maxLength: 10 }),
  cancelAfter: fc.option(fc.nat(40)),
});

const messageOf = (length: number, index: number): Buffer => Buffer.alloc(length, String(index));

function framesOf(lengths: readonly number[], cuts: readonly number[], stream: number): Buffer {
  const bytes = Buffer.concat(lengths.map((length, index) => grpcMessage(messageOf(length, index))));
  const frames: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i += 1) {
    const end = at + (cuts[i % cuts.length] as number);
    frames.push(data(stream, bytes.subarray(at, end)));
    at = end;
  }
  return Buffer.concat(frames);
}

describe('GrpcStream', () => {
  it('delivers exactly the messages sent, in any frames, with any pauses, until it is cancelled', async () => {
    let answer: (stream: number) => Buffer = () => Buffer.alloc(0);
    const server = await RawHttp2Server.start(({ serve, send }) => {
      serve(({ type, stream }) => {
        if (type === FrameType.HEADERS) send(responseHeaders(stream), answer(stream), trailers(stream, 0));
      });
    });
    after(() => {
      server.stop();
    });

    await fc.assert(
      fc.asyncProperty(SCENARIO, async ({ lengths, cuts, pauses, cancelAfter }) => {
        // A session of its own, since the server ignores flow control.
        const session = open({ address: server.address });
        await session.ready;
        answer = (stream) => framesOf(lengths, cuts, stream);
        const received: Buffer[] = [];
        let isPaused = false;
        let deliveredWhilePaused = 0;
        const recorded = new RecordedStream(session, '/a/b', {
          onMessage: (bytes) => {
            if (isPaused) deliveredWhilePaused += 1;
            received.push(Buffer.from(bytes));
            if (received.length === cancelAfter) {
              recorded.stream.cancel();
            } else if (pauses[received.length % pauses.length] === true) {
              isPaused = true;
              recorded.stream.pause();
              setImmediate(() => {
                isPaused = false;
                recorded.stream.resume();
              });
            }
          },
        });
        const isCancelled = cancelAfter !== null && cancelAfter > 0 && cancelAfter <= lengths.length;
        // A paused stream delivers its last messages after it has been closed.
        await eventually(() => (isCancelled ? received.length === cancelAfter : recorded.ends === 1));
        await eventually(() => session.openStreams === 0);
        session.close();
        await session.closed;

        const expected = lengths.map(messageOf).slice(0, isCancelled ? cancelAfter : undefined);
        expect(received.map(String)).toEqual(expected.map(String));
        expect(deliveredWhilePaused).toBe(0);
        expect(recorded.ends).toBe(isCancelled ? 0 : 1);
        if (!isCancelled) expect(await recorded.ended).toBeUndefined();
      }),
      { numRuns: 60 },
    );
  });
});
