import { once } from 'node:events';
import {
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type Settings,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { GrpcSession } from '../../../lib/etcd/transport/grpc-session.js';
import { eventually } from '../../support/eventually.js';
import { grpcMessage } from '../../support/frames.js';
import { describeError, failureOf, RecordedStream, sessions } from '../../support/grpc-session.js';

const { open, after } = sessions();
const GRPC = { ':status': 200, 'content-type': 'application/grpc' };
const REQUEST = Buffer.from('request');

type Handler = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

interface Served {
  readonly session: GrpcSession;
  readonly peer: ServerHttp2Session;
}

async function serve(handler: Handler, settings: Settings = {}): Promise<Served> {
  const server: Http2Server = createServer({ settings });
  const peers: ServerHttp2Session[] = [];
  server.on('session', (peer) => {
    peer.on('error', () => undefined);
    peers.push(peer);
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    handler(stream, headers);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  after(() => {
    for (const peer of peers) peer.destroy();
    server.close();
  });
  const session = open({ address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port } });
  await session.ready;
  return { session, peer: peers[0] as ServerHttp2Session };
}

/** Answers with one message and these trailers. */
function answerWith(
  trailers: Record<string, string> | undefined,
  message = grpcMessage(Buffer.from('answer')),
): Handler {
  return (stream) => {
    stream.respond(GRPC, { waitForTrailers: trailers !== undefined });
    if (trailers) {
      stream.on('wantTrailers', () => {
        stream.sendTrailers(trailers);
      });
    }
    stream.end(message);
  };
}

const echo = answerWith({ 'grpc-status': '0' });

describe('GrpcSession with a server that behaves oddly', () => {
  it.each([
    [400, 'INTERNAL'],
    [401, 'UNAUTHENTICATED'],
    [403, 'PERMISSION_DENIED'],
    [404, 'UNIMPLEMENTED'],
    [418, 'UNKNOWN'],
    [429, 'UNAVAILABLE'],
    [502, 'UNAVAILABLE'],
    [503, 'UNAVAILABLE'],
    [504, 'UNAVAILABLE'],
  ])('maps HTTP status %i to %s', async (status, code) => {
    const { session } = await serve((stream) => {
      stream.respond({ ':status': status, 'content-type': 'text/html' });
      stream.end('<h1>no</h1>');
    });

    expect(await failureOf(session.unary('/a/b', REQUEST))).toBe(
      `${code}: the server answered with HTTP status ${status} (sent: maybe)`,
    );
  });

  it('prefers the status of a trailers-only response to the HTTP status', async () => {
    const { session } = await serve((stream) => {
      stream.respond({ ':status': 503, 'grpc-status': '16', 'grpc-message': 'token%20expired' }, { endStream: true });
    });

    expect(await failureOf(session.unary('/a/b', REQUEST))).toBe('UNAUTHENTICATED: token expired (sent: maybe)');
  });

  it.each(['text/html', '', 'application/grpcish'])('rejects content type "%s"', async (contentType) => {
    const { session } = await serve((stream) => {
      stream.respond({ ':status': 200, ...(contentType && { 'content-type': contentType }) });
      stream.end(grpcMessage(Buffer.from('no message of ours')));
    });

    expect(await failureOf(session.unary('/a/b', REQUEST))).toBe(
      `UNKNOWN: the server does not speak gRPC: it answered with content type "${contentType}" (sent: maybe)`,
    );
  });

  it('accepts content types with a suffix', async () => {
    const { session } = await serve((stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc+proto' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => {
        stream.sendTrailers({ 'grpc-status': '0' });
      });
      stream.end(grpcMessage(Buffer.from('answer')));
    });

    expect(String(await session.unary('/a/b', REQUEST))).toBe('answer');
  });

  it.each([
    [constants.NGHTTP2_NO_ERROR, 'INTERNAL: the server ended the call without a status (sent: maybe)'],
    [constants.NGHTTP2_PROTOCOL_ERROR, 'INTERNAL: the stream was reset with PROTOCOL_ERROR (sent: maybe)'],
    [constants.NGHTTP2_INTERNAL_ERROR, 'INTERNAL: the stream was reset with INTERNAL_ERROR (sent: maybe)'],
    [constants.NGHTTP2_REFUSED_STREAM, 'UNAVAILABLE: the stream was reset with REFUSED_STREAM (sent: no)'],
    [constants.NGHTTP2_CANCEL, 'CANCELLED: the stream was reset with CANCEL (sent: maybe)'],
    [
      constants.NGHTTP2_ENHANCE_YOUR_CALM,
      'RESOURCE_EXHAUSTED: the stream was reset with ENHANCE_YOUR_CALM (sent: maybe)',
    ],
    [
      constants.NGHTTP2_INADEQUATE_SECURITY,
      'PERMISSION_DENIED: the stream was reset with INADEQUATE_SECURITY (sent: maybe)',
    ],
  ])('maps a reset with code %i', async (code, expected) => {
    const { session } = await serve((stream, { ':path': path }) => {
      if (path === '/reset') stream.close(code);
      else echo(stream, {});
    });

    expect(await failureOf(session.unary('/reset', REQUEST))).toBe(expected);
    expect(String(await session.unary('/fine', REQUEST))).toBe('answer');
  });

  it.each([
    [undefined, 'INTERNAL: the server ended the call without a status (sent: maybe)'],
    [{ 'grpc-message': 'x' }, 'INTERNAL: the server ended the call without a status (sent: maybe)'],
    [
      { 'grpc-status': '17', 'grpc-message': 'odd' },
      'UNKNOWN: the server sent an undefined gRPC status (17): odd (sent: maybe)',
    ],
    [{ 'grpc-status': '-1' }, 'UNKNOWN: the server sent an undefined gRPC status (-1):  (sent: maybe)'],
    [{ 'grpc-status': '00' }, 'UNKNOWN: the server sent an undefined gRPC status (00):  (sent: maybe)'],
    [{ 'grpc-status': '5', 'grpc-message': '100% of %zz %E2%82%AC %' }, 'NOT_FOUND: 100% of %zz € % (sent: maybe)'],
    [{ 'grpc-status': '5', 'grpc-message': '%E2%82' }, 'NOT_FOUND: \ufffd (sent: maybe)'],
  ])('reads the trailers %j', async (trailers, expected) => {
    const { session } = await serve(answerWith(trailers));

    expect(await failureOf(session.unary('/a/b', REQUEST))).toBe(expected);
  });

  it('cuts the text of an error that is very long', async () => {
    const { session } = await serve(answerWith({ 'grpc-status': '5', 'grpc-message': 'x'.repeat(20_000) }));

    expect(await failureOf(session.unary('/a/b', REQUEST))).toBe(`NOT_FOUND: ${'x'.repeat(300)}... (sent: maybe)`);
  });

  it.each([
    [Buffer.alloc(0), 'INTERNAL: the server sent no answer (sent: maybe)'],
    [
      grpcMessage(Buffer.from('abc')).subarray(0, 6),
      'INTERNAL: the server ended the call within a message (sent: maybe)',
    ],
    [
      grpcMessage(Buffer.from('abc')).subarray(0, 3),
      'INTERNAL: the server ended the call within a message (sent: maybe)',
    ],
    [grpcMessage(Buffer.from('abc'), 1), 'INTERNAL: the server sent a compressed message (sent: maybe)'],
    [
      Buffer.concat([grpcMessage(Buffer.from('a')), grpcMessage(Buffer.from('b'))]),
      'INTERNAL: the server sent more than one answer (sent: maybe)',
    ],
  ])('rejects the unary answer %j', async (answer, expected) => {
    const { session } = await serve(answerWith({ 'grpc-status': '0' }, answer));

    expect(await failureOf(session.unary('/a/b', REQUEST))).toBe(expected);
    await eventually(() => session.openStreams === 0);
  });

  it('delivers an empty message', async () => {
    const { session } = await serve(answerWith({ 'grpc-status': '0' }, grpcMessage(Buffer.alloc(0))));

    expect(await session.unary('/a/b', REQUEST)).toHaveLength(0);
  });

  it.each([{ 'in valid': 'x' }, { value: 'line\nbreak' }, { value: '\u4e00' }, { connection: 'x' }, { ':other': 'x' }])(
    'rejects the metadata %j without sending anything',
    async (metadata) => {
      const { session } = await serve(echo);

      expect(await failureOf(session.unary('/a/b', REQUEST, { metadata }))).toBe(
        'INTERNAL: the request headers are invalid (sent: no)',
      );
      expect(String(await session.unary('/a/b', REQUEST))).toBe('answer');
    },
  );

  it('keeps the headers of the protocol, whatever the metadata', async () => {
    const seen: IncomingHttpHeaders[] = [];
    const { session } = await serve((stream, headers) => {
      seen.push(headers);
      echo(stream, headers);
    });

    await session.unary('/a/b', REQUEST, { metadata: { ':path': '/evil', te: 'gzip', token: 't' }, timeoutMs: 60_000 });

    expect(seen[0]).toMatchObject({
      ':authority': 'test.example',
      ':method': 'POST',
      ':path': '/a/b',
      ':scheme': 'http',
      'content-type': 'application/grpc',
      'grpc-timeout': '60000m',
      te: 'trailers',
      token: 't',
    });
  });
});

describe('GrpcSession with a server that limits streams', () => {
  it('lets unary calls wait in order, and refuses a stream that finds none free', async () => {
    const held: ServerHttp2Stream[] = [];
    const started: string[] = [];
    const { session } = await serve(
      (stream, { ':path': path = '' }) => {
        started.push(path);
        held.push(stream);
      },
      { maxConcurrentStreams: 4 },
    );
    const calls = ['/1', '/2', '/3', '/4', '/5', '/6'].map((path) => session.unary(path, REQUEST).then(String));
    await eventually(() => held.length === 4);

    expect([session.maxConcurrentStreams, session.openStreams, session.freeStreams]).toEqual([4, 4, 0]);
    expect(() => new RecordedStream(session, '/7')).toThrow('RESOURCE_EXHAUSTED: all 4 streams');
    for (let answered = 0; answered < 6; answered += 1) {
      await eventually(() => held.length > answered);
      echo(held[answered] as ServerHttp2Stream, {});
    }

    expect(await Promise.all(calls)).toEqual(Array.from({ length: 6 }, () => 'answer'));
    expect(started).toEqual(['/1', '/2', '/3', '/4', '/5', '/6']);
  });

  it('ends the waiting of a call at its deadline or abort, unsent', async () => {
    const { session } = await serve(() => undefined, { maxConcurrentStreams: 1 });
    const first = new RecordedStream(session, '/first');
    const controller = new AbortController();
    const aborted = failureOf(session.unary('/second', REQUEST, { signal: controller.signal }));

    expect(await failureOf(session.unary('/third', REQUEST, { timeoutMs: 20 }))).toBe(
      'DEADLINE_EXCEEDED: no stream was free within 20 ms (sent: no)',
    );
    controller.abort();

    expect(await aborted).toBe('CANCELLED: the call was aborted (sent: no)');
    expect(first.stream.state).toBe('open');
  });

  it('follows a limit that changes', async () => {
    const held: ServerHttp2Stream[] = [];
    const { session, peer } = await serve((stream) => held.push(stream), { maxConcurrentStreams: 1 });
    const calls = [1, 2, 3].map(() => session.unary('/a/b', REQUEST).then(String));
    await eventually(() => held.length === 1);

    peer.settings({ maxConcurrentStreams: 3 });

    await eventually(() => held.length === 3);
    peer.settings({ maxConcurrentStreams: 2 });
    await eventually(() => session.maxConcurrentStreams === 2);
    expect(session.freeStreams).toBe(0);
    for (const stream of held) echo(stream, {});
    expect(await Promise.all(calls)).toEqual(['answer', 'answer', 'answer']);
    await eventually(() => session.freeStreams === 2);
  });

  it('fails the calls that wait when the session ends', async () => {
    const { session } = await serve(() => undefined, { maxConcurrentStreams: 1 });
    const sent = failureOf(session.unary('/first', REQUEST));
    const waiting = failureOf(session.unary('/second', REQUEST));

    session.close();

    expect(await sent).toBe('UNAVAILABLE: the session was closed (sent: maybe)');
    expect(await waiting).toBe('UNAVAILABLE: the session was closed (sent: no)');
  });
});

describe('GrpcSession with a server that sends GOAWAY', () => {
  it('lets streams up to the last id finish, and calls those above it unsent', async () => {
    const held: ServerHttp2Stream[] = [];
    const { session, peer } = await serve((stream) => held.push(stream));
    const first = session.unary('/first', REQUEST).then(String);
    await eventually(() => held.length === 1);
    const second = failureOf(session.unary('/second', REQUEST));
    await eventually(() => held.length === 2);

    peer.goaway(constants.NGHTTP2_NO_ERROR, held[0]?.id);

    expect(await second).toBe('UNAVAILABLE: the peer ended the session with GOAWAY NO_ERROR (sent: no)');
    expect(session.state).toBe('draining');
    echo(held[0] as ServerHttp2Stream, {});
    expect(await first).toBe('answer');
    expect((await session.closed)?.message).toBe('the peer ended the session with GOAWAY NO_ERROR');
  });

  it('ends all streams at any other code, with the code and the text', async () => {
    const { session, peer } = await serve((stream) => {
      peer.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, stream.id, Buffer.from('too_many_pings\n\xff'));
    });

    const call = await failureOf(session.unary('/a/b', REQUEST));

    const reason = String.raw`the peer ended the session with GOAWAY ENHANCE_YOUR_CALM (too_many_pings\nÿ)`;
    expect(call).toBe(`UNAVAILABLE: ${reason} (sent: maybe)`);
    expect(await session.closed).toMatchObject({ failure: 'goaway', message: reason });
  });

  it('calls streams above the last id unsent at any other code too', async () => {
    const { session, peer } = await serve(() => {
      peer.goaway(constants.NGHTTP2_INTERNAL_ERROR, 1);
    });
    const recorded = new RecordedStream(session, '/first');
    const second = new RecordedStream(session, '/second');

    const reason = 'UNAVAILABLE: the peer ended the session with GOAWAY INTERNAL_ERROR';
    expect(describeError(await recorded.ended)).toBe(`${reason} (sent: maybe)`);
    expect(describeError(await second.ended)).toBe(`${reason} (sent: no)`);
  });
});
