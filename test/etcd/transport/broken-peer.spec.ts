import { describe, expect, it } from 'vitest';
import type { GrpcSession } from '../../../lib/etcd/transport/grpc-session.js';
import { eventually } from '../../support/eventually.js';
import {
  ACK,
  data,
  END_HEADERS,
  type Frame,
  frame,
  FrameType,
  goaway,
  grpcMessage,
  headerBlock,
  reset,
  RESPONSE_FIELDS,
  responseHeaders,
  settings,
  trailers,
  windowUpdate,
} from '../../support/frames.js';
import { describeError, failureOf, RecordedStream, sessions } from '../../support/grpc-session.js';
import { type RawConnection, RawHttp2Server } from '../../support/raw-http2-server.js';

const { open, after } = sessions();
const REQUEST = Buffer.from('request');
/** Node is silent about some violations: it stops to read, and only an unanswered ping shows it. */
const QUICK_PINGS = { intervalMs: 50, spacingMs: 40, lateMs: 20, timeoutMs: 200, answerMs: 1_000 };
const HUGE_HEADERS = headerBlock([...RESPONSE_FIELDS, ['x-large', 'x'.repeat(16_000)]]);

async function connectTo(onConnection: (connection: RawConnection) => void): Promise<GrpcSession> {
  const server = await RawHttp2Server.start(onConnection);
  after(() => {
    server.stop();
  });
  return open({ address: server.address, connectTimeoutMs: 1_000, keepAlive: QUICK_PINGS });
}

/** A session whose server answers the first request of each stream by these bytes. */
async function answeredBy(answer: (stream: number, connection: RawConnection) => void): Promise<GrpcSession> {
  const session = await connectTo((connection) => {
    connection.serve(({ type, stream }) => {
      if (type === FrameType.HEADERS) answer(stream, connection);
    });
  });
  await session.ready;
  return session;
}

async function failureToConnect(session: GrpcSession): Promise<string> {
  const error: unknown = await session.ready.catch((cause: unknown) => cause);
  expect(await session.closed).toBe(error);
  expect(session.state).toBe('closed');
  const { failure, message } = error as { failure: string; message: string };
  return `${failure}: ${message}`;
}

describe('GrpcSession that does not come about', () => {
  it('reports a port that nobody listens on', async () => {
    const server = await RawHttp2Server.start(() => {});
    const { address } = server;
    server.stop();
    const session = open({ address });
    const call = failureOf(session.unary('/a/b', REQUEST));

    const reason = `connect ECONNREFUSED 127.0.0.1:${address.port}`;
    expect(await failureToConnect(session)).toBe(`connect: ${reason}`);
    expect(await session.closed).toMatchObject({ code: 'ECONNREFUSED' });
    expect(await call).toBe(`UNAVAILABLE: ${reason} (sent: no)`);
  });

  it('reports an address that cannot be one', async () => {
    expect(await failureToConnect(open({ address: { host: '127.0.0.1', port: 70_000 } }))).toMatch(/^connect: .*70000/);
  });

  it('reports a unix socket that does not exist', async () => {
    expect(await failureToConnect(open({ address: { path: '/nowhere/at/all' } }))).toBe(
      'connect: connect ENOENT /nowhere/at/all',
    );
  });

  it('gives up a peer that accepts and stays silent', async () => {
    const session = await connectTo(() => {});

    expect(await failureToConnect(session)).toBe('connect-timeout: no HTTP/2 session within 1000 ms');
  });

  it('gives up a peer that sends anything but SETTINGS, slowly', async () => {
    const session = await connectTo(({ send }) => {
      send(settings().subarray(0, 5));
    });

    expect(await failureToConnect(session)).toBe('connect-timeout: no HTTP/2 session within 1000 ms');
  });

  it.each([
    ['an HTTP/1 answer', Buffer.from('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')],
    ['garbage', Buffer.alloc(100, 0xa5)],
    ['a frame that is not SETTINGS', frame(FrameType.PING, 0, 0, Buffer.alloc(8))],
    ['SETTINGS of a wrong length', frame(FrameType.SETTINGS, 0, 0, Buffer.alloc(5))],
    ['a frame above the limit', frame(FrameType.DATA, 0, 1, Buffer.alloc(20_000))],
  ])('reports %s as no HTTP/2', async (_, bytes) => {
    const session = await connectTo(({ send }) => {
      send(bytes);
    });

    expect(await failureToConnect(session)).toMatch(/^connect/);
  });

  it('reports a peer that closes the connection at once', async () => {
    const session = await connectTo(({ socket }) => {
      socket.end();
    });

    expect(await failureToConnect(session)).toBe('connect: the peer closed the connection');
  });

  it('can be closed before it is ready', async () => {
    const session = await connectTo(() => {});

    session.close();

    await expect(session.ready).rejects.toMatchObject({ failure: 'closed' });
    expect(await session.closed).toBeUndefined();
  });
});

describe('GrpcSession with a peer that breaks HTTP/2', () => {
  it.each<[string, (stream: number) => Buffer]>([
    ['a truncated header block', (stream) => frame(FrameType.HEADERS, END_HEADERS, stream, Buffer.from([0x40, 0x7f]))],
    ['DATA on a stream that was never opened', () => data(99, Buffer.alloc(10))],
    ['a window that overflows', () => Buffer.concat([windowUpdate(0, 0x7fffffff), windowUpdate(0, 0x7fffffff)])],
    ['a window update of nothing', () => windowUpdate(0, 0)],
    ['a push promise', (stream) => frame(FrameType.PUSH_PROMISE, END_HEADERS, stream, Buffer.alloc(4, 2))],
    ['a continuation of nothing', (stream) => frame(FrameType.CONTINUATION, END_HEADERS, stream, HUGE_HEADERS)],
    ['SETTINGS that are not allowed', () => settings({ 4: 0xffffffff })],
    ['a ping of a wrong length', () => frame(FrameType.PING, 0, 0, Buffer.alloc(7))],
  ])('ends at %s, and so do its calls', async (_, bytes) => {
    const session = await answeredBy((stream, { send }) => {
      send(bytes(stream));
    });

    expect(await failureOf(session.unary('/a/b', REQUEST))).toMatch(/^UNAVAILABLE: .* \(sent: maybe\)$/);
    expect((await session.closed)?.failure).toMatch(/lost|ping-timeout/);
  });

  it.each<[string, (stream: number) => Buffer]>([
    ['a window of the stream that overflows', (stream) => windowUpdate(stream, 0x7fffffff)],
    ['DATA before the headers', (stream) => data(stream, grpcMessage(REQUEST))],
    [
      'a status that is no number',
      (stream) => frame(FrameType.HEADERS, END_HEADERS, stream, headerBlock([[':status', 'abc']])),
    ],
    ['headers without a status', (stream) => frame(FrameType.HEADERS, END_HEADERS, stream, headerBlock([['a', 'b']]))],
    [
      'headers in upper case',
      (stream) => frame(FrameType.HEADERS, END_HEADERS, stream, headerBlock([...RESPONSE_FIELDS, ['A', 'b']])),
    ],
    [
      'more headers than allowed',
      (stream) =>
        frame(
          FrameType.HEADERS,
          END_HEADERS,
          stream,
          headerBlock([...RESPONSE_FIELDS, ...Array.from({ length: 500 }, (_, i) => [`x-${i}`, 'y'] as const)]),
        ),
    ],
  ])('ends at least the call at %s', async (_, bytes) => {
    const session = await answeredBy((stream, { send }) => {
      send(bytes(stream));
    });

    expect(await failureOf(session.unary('/a/b', REQUEST, { timeoutMs: 5_000 }))).toMatch(
      /^(?:INTERNAL|UNAVAILABLE|RESOURCE_EXHAUSTED): .* \(sent: maybe\)$/,
    );
  });

  it('ends at headers without end, with bounded memory', async () => {
    const before = process.memoryUsage().rss;
    const session = await answeredBy((stream, { send, socket }) => {
      const more = frame(FrameType.CONTINUATION, 0, stream, headerBlock([['x-more', 'x'.repeat(16_000)]]));
      const flood = (): void => {
        if (!socket.destroyed) socket.write(more, flood);
      };
      send(frame(FrameType.HEADERS, 0, stream, HUGE_HEADERS));
      flood();
    });

    expect(await failureOf(session.unary('/a/b', REQUEST))).toMatch(/^UNAVAILABLE: .* \(sent: maybe\)$/);
    expect((await session.closed)?.failure).toMatch(/lost|ping-timeout/);
    expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000);
  });

  it.each<[string, Buffer]>([
    ['pings', frame(FrameType.PING, 0, 0, Buffer.alloc(8))],
    ['SETTINGS', settings({ 3: 100 })],
    ['empty DATA', data(1, Buffer.alloc(0))],
    ['frames of an unknown type', frame(0xee, 0, 0, Buffer.alloc(16))],
    ['empty messages', data(1, grpcMessage(Buffer.alloc(0)))],
    ['acknowledged pings that were never sent', frame(FrameType.PING, ACK, 0, Buffer.alloc(8))],
  ])('survives a flood of %s, or ends with a reason', async (_, flooded) => {
    const before = process.memoryUsage().rss;
    const block = Buffer.concat(Array.from({ length: 100 }, () => flooded));
    const session = await answeredBy((stream, { send, socket }) => {
      send(responseHeaders(stream));
      let blocks = 0;
      const flood = (): void => {
        if (socket.destroyed) return;
        blocks += 1;
        if (blocks <= 1_000) socket.write(block, flood);
        else send(trailers(stream, 0));
      };
      flood();
    });
    const recorded = new RecordedStream(session, '/a/b', { onMessage: () => {} });

    const error = await recorded.ended;
    if (error) expect(describeError(error)).toMatch(/^UNAVAILABLE: .+ \(sent: maybe\)$/);
    expect(process.memoryUsage().rss - before).toBeLessThan(150_000_000);
  });

  it('takes messages of many small frames apart from their boundaries', async () => {
    const bytes = Buffer.concat(['a', 'bc', ''].map((text) => grpcMessage(Buffer.from(text))));
    const session = await answeredBy((stream, { send }) => {
      send(responseHeaders(stream));
      for (const byte of bytes) send(data(stream, Buffer.from([byte])));
      send(trailers(stream, 0));
    });
    const recorded = new RecordedStream(session, '/a/b');

    expect(await recorded.ended).toBeUndefined();
    expect(recorded.messages).toEqual(['a', 'bc', '']);
  });

  it('delivers what arrived before the connection broke, and reports it as lost', async () => {
    const session = await answeredBy((stream, { send, socket }) => {
      send(responseHeaders(stream), data(stream, grpcMessage(Buffer.from('early'))));
      socket.end(data(stream, grpcMessage(Buffer.from('cut'))).subarray(0, 15));
    });
    const recorded = new RecordedStream(session, '/a/b');

    expect(describeError(await recorded.ended)).toBe('UNAVAILABLE: the peer closed the connection (sent: maybe)');
    expect(recorded.messages).toEqual(['early']);
    expect((await session.closed)?.failure).toBe('lost');
  });

  it('keeps the code of a connection that was reset', async () => {
    const session = await connectTo((connection) => {
      connection.serve(({ type, flags }) => {
        if (type === FrameType.DATA) connection.send(frame(FrameType.PING, 0, 0, Buffer.alloc(8)));
        // The client has written everything, so it reads the reset.
        if (type === FrameType.PING && flags === ACK) setImmediate(() => connection.socket.resetAndDestroy());
      });
    });
    await session.ready;

    expect(await failureOf(session.unary('/a/b', REQUEST))).toBe('UNAVAILABLE: read ECONNRESET (sent: maybe)');
    expect(await session.closed).toMatchObject({ failure: 'lost', code: 'ECONNRESET' });
  });

  it.each([
    [7, 'UNAVAILABLE: the stream was reset with REFUSED_STREAM (sent: maybe)'],
    [0, 'INTERNAL: the server ended the call without a status (sent: maybe)'],
    [13, 'INTERNAL: the stream was reset with HTTP_1_1_REQUIRED (sent: maybe)'],
    [4_711, 'INTERNAL: the stream was reset with error 4711 (sent: maybe)'],
  ])('never calls a request unsent that has an answer, at reset code %i', async (code, expected) => {
    const session = await answeredBy((stream, { send }) => {
      send(responseHeaders(stream), reset(stream, code));
    });

    expect(await failureOf(session.unary('/a/b', REQUEST))).toBe(expected);
  });

  it('never calls a request unsent that has an answer, above the id of a GOAWAY', async () => {
    const session = await answeredBy((stream, { send }) => {
      send(responseHeaders(stream), goaway(0, 0));
    });

    expect(await failureOf(session.unary('/a/b', REQUEST))).toMatch(/^UNAVAILABLE: .*GOAWAY NO_ERROR \(sent: maybe\)$/);
  });

  it('cancels with RST_STREAM', async () => {
    let connection: RawConnection | undefined;
    const session = await answeredBy((_, peer) => {
      connection = peer;
    });
    const recorded = new RecordedStream(session, '/a/b');

    recorded.stream.cancel();

    const resets = (): Frame[] => connection?.frames.filter(({ type }) => type === FrameType.RST_STREAM) ?? [];
    await eventually(() => resets().length > 0);
    expect(resets().map(({ stream, payload }) => [stream, payload.readUInt32BE()])).toEqual([[1, 8]]);
  });

  it('ends a draining session whose peer stops answering', async () => {
    const session = await connectTo((connection) => {
      connection.serve(({ type }) => {
        if (type !== FrameType.HEADERS) return;
        connection.send(goaway(1, 0));
        connection.socket.removeAllListeners('data').pause();
      });
    });
    await session.ready;
    const recorded = new RecordedStream(session, '/a/b');

    expect(describeError(await recorded.ended)).toBe(
      'UNAVAILABLE: the peer did not answer within 200 ms (sent: maybe)',
    );
    expect((await session.closed)?.failure).toBe('ping-timeout');
  });

  it('follows a second GOAWAY with a lower id', async () => {
    const streams: number[] = [];
    let connection: RawConnection | undefined;
    const session = await answeredBy((stream, peer) => {
      streams.push(stream);
      connection = peer;
    });
    const first = new RecordedStream(session, '/first');
    const second = new RecordedStream(session, '/second');
    await eventually(() => streams.length === 2);

    connection?.send(goaway(0x7fffffff, 0, 'graceful'));
    await eventually(() => session.state === 'draining');
    expect([first.stream.state, second.stream.state]).toEqual(['open', 'open']);
    connection?.send(goaway(1, 0));

    expect(describeError(await second.ended)).toMatch(/GOAWAY NO_ERROR \(sent: no\)$/);
    connection?.send(responseHeaders(1), data(1, grpcMessage(Buffer.from('last'))), trailers(1, 0));
    expect(await first.ended).toBeUndefined();
    expect(first.messages).toEqual(['last']);
    expect((await session.closed)?.failure).toBe('goaway');
  });
});
