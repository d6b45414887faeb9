import {
  type handleBidiStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  status,
} from '@grpc/grpc-js';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { GrpcSession } from '../../../lib/etcd/transport/grpc-session.js';
import { eventually } from '../../support/eventually.js';
import { describeError, failureOf, RecordedStream, sessions, withResolvers } from '../../support/grpc-session.js';

const pass = (bytes: Buffer): Buffer => bytes;
const method = (name: string, isStream: boolean) => ({
  path: `/test.Test/${name}`,
  requestStream: isStream,
  responseStream: isStream,
  requestSerialize: pass,
  requestDeserialize: pass,
  responseSerialize: pass,
  responseDeserialize: pass,
});
const SERVICE: ServiceDefinition = { Unary: method('Unary', false), Bidi: method('Bidi', true) };
const UNARY = '/test.Test/Unary';
const BIDI = '/test.Test/Bidi';

const echo: handleUnaryCall<Buffer, Buffer> = ({ request }, answer) => {
  answer(null, request);
};
const echoEach: handleBidiStreamingCall<Buffer, Buffer> = (call) => {
  call.on('data', (bytes: Buffer) => call.write(bytes));
  call.on('end', () => {
    call.end();
  });
};

const { open, after } = sessions();

async function serve({
  unary = echo,
  bidi = echoEach,
  socketPath,
  maxMessageBytes,
}: {
  unary?: handleUnaryCall<Buffer, Buffer>;
  bidi?: handleBidiStreamingCall<Buffer, Buffer>;
  socketPath?: string;
  maxMessageBytes?: number;
} = {}): Promise<{ session: GrpcSession; server: Server }> {
  const server = new Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 });
  server.addService(SERVICE, { Unary: unary, Bidi: bidi });
  const port = await new Promise<number>((resolve, reject) => {
    const target = socketPath ? `unix:${socketPath}` : '127.0.0.1:0';
    server.bindAsync(target, ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(error);
      else resolve(bound);
    });
  });
  after(() => {
    server.forceShutdown();
  });
  const session = open({ address: socketPath ? { path: socketPath } : { host: '127.0.0.1', port }, maxMessageBytes });
  await session.ready;
  return { session, server };
}

describe('GrpcSession with a gRPC server', () => {
  it('answers unary calls', async () => {
    const { session } = await serve();

    const answers = await Promise.all(['a', 'b', ''].map((text) => session.unary(UNARY, Buffer.from(text))));

    expect(answers.map(String)).toEqual(['a', 'b', '']);
    await eventually(() => session.openStreams === 0);
  });

  it('starts calls that came before the session was ready', async () => {
    const { server, session: first } = await serve();
    expect(first.state).toBe('ready');
    const port = await new Promise<number>((resolve) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_, bound) => {
        resolve(bound);
      });
    });
    const session = open({ address: { host: 'localhost', port } });

    expect(session.state).toBe('connecting');
    expect(String(await session.unary(UNARY, Buffer.from('early')))).toBe('early');
  });

  it('works over a unix socket', async () => {
    const { session } = await serve({ socketPath: join(tmpdir(), `transport-${process.pid}.sock`) });

    expect(String(await session.unary(UNARY, Buffer.from('local')))).toBe('local');
  });

  it('carries messages of 10 MB in both directions', async () => {
    const { session } = await serve();
    const large = Buffer.alloc(10_000_000, 'large');

    const answer = await session.unary(UNARY, large);

    expect(answer.equals(large)).toBe(true);
  });

  it('carries many large requests at once', async () => {
    const { session } = await serve();
    const large = Buffer.alloc(1_500_000, 'large');

    const answers = await Promise.all(Array.from({ length: 40 }, () => session.unary(UNARY, large)));

    expect(answers.every((answer) => answer.equals(large))).toBe(true);
  });

  it('sends metadata and the deadline', async () => {
    const seen = withResolvers<Metadata>();
    const { session } = await serve({
      unary: (call, answer) => {
        seen.resolve(call.metadata);
        answer(null, Buffer.from(String(Number(call.getDeadline()) > Date.now())));
      },
    });

    const answer = await session.unary(UNARY, Buffer.alloc(0), { metadata: { token: 'abc' }, timeoutMs: 30_000 });

    expect((await seen.promise).get('token')).toEqual(['abc']);
    expect(String(answer)).toBe('true');
  });

  it('reports the headers of the response', async () => {
    const { session } = await serve({
      bidi: (call) => {
        const metadata = new Metadata();
        metadata.set('region', 'north');
        call.sendMetadata(metadata);
        call.end();
      },
    });
    const headers = withResolvers<unknown>();

    new RecordedStream(session, BIDI, {
      onHeaders: ({ region }) => {
        headers.resolve(region);
      },
    });

    expect(await headers.promise).toBe('north');
  });

  it('rejects with the status and the decoded details', async () => {
    const { session } = await serve({
      unary: (_, answer) => {
        answer({ code: status.FAILED_PRECONDITION, details: 'größer als 100 % – 太大' });
      },
    });

    expect(await failureOf(session.unary(UNARY, Buffer.alloc(1)))).toBe(
      'FAILED_PRECONDITION: größer als 100 % – 太大 (sent: maybe)',
    );
  });

  it('rejects calls of a method that the server does not have', async () => {
    const { session } = await serve();

    expect(await failureOf(session.unary('/test.Test/Other', Buffer.alloc(1)))).toMatch(/^UNIMPLEMENTED: .*\/Other/);
  });

  it('rejects an answer above the limit, and the session goes on', async () => {
    const { session } = await serve({ maxMessageBytes: 4_999 });

    expect(await failureOf(session.unary(UNARY, Buffer.alloc(5_000)))).toBe(
      'RESOURCE_EXHAUSTED: a message of 5000 bytes exceeds the limit of 4999 bytes (sent: maybe)',
    );
    expect(String(await session.unary(UNARY, Buffer.from('next')))).toBe('next');
  });

  it('ends a call at its deadline without touching others', async () => {
    const cancelled = withResolvers<string>();
    const { session } = await serve({
      unary: (call) => {
        call.on('cancelled', () => {
          cancelled.resolve('cancelled');
        });
      },
    });
    const other = new RecordedStream(session, BIDI);

    expect(await failureOf(session.unary(UNARY, Buffer.alloc(1), { timeoutMs: 50 }))).toBe(
      'DEADLINE_EXCEEDED: no answer within 50 ms (sent: maybe)',
    );

    expect(await cancelled.promise).toBe('cancelled');
    other.stream.write(Buffer.from('still here'));
    await eventually(() => other.messages.length === 1);
    expect(session.state).toBe('ready');
  });

  it('cancels a call that is aborted, and does not send one that was aborted before', async () => {
    const started = withResolvers<undefined>();
    const cancelled = withResolvers<string>();
    const { session } = await serve({
      unary: (call) => {
        started.resolve(undefined);
        call.on('cancelled', () => {
          cancelled.resolve('cancelled');
        });
      },
    });
    const controller = new AbortController();
    const call = failureOf(session.unary(UNARY, Buffer.alloc(1), { signal: controller.signal }));
    await started.promise;

    controller.abort();

    expect(await call).toBe('CANCELLED: the call was aborted (sent: maybe)');
    expect(await cancelled.promise).toBe('cancelled');
    expect(await failureOf(session.unary(UNARY, Buffer.alloc(1), { signal: controller.signal }))).toBe(
      'CANCELLED: the call was aborted (sent: no)',
    );
  });

  it('exchanges messages over a stream until both sides have ended it', async () => {
    const { session } = await serve();
    const recorded = new RecordedStream(session, BIDI);

    for (const text of ['a', 'b', 'c']) recorded.stream.write(Buffer.from(text));
    recorded.stream.halfClose();

    expect(await recorded.ended).toBeUndefined();
    expect(recorded.messages).toEqual(['a', 'b', 'c']);
    expect(recorded.stream.state).toBe('closed');
    await eventually(() => session.openStreams === 0);
  });

  it('frees the stream when the server ends it first', async () => {
    const { session } = await serve({
      bidi: (call) => {
        call.emit('error', { code: status.ABORTED, details: 'enough' });
      },
    });
    const recorded = new RecordedStream(session, BIDI);

    expect(describeError(await recorded.ended)).toBe('ABORTED: enough (sent: maybe)');
    await eventually(() => session.openStreams === 0);
    expect(recorded.ends).toBe(1);
  });

  it('delivers nothing after cancel, not even the end', async () => {
    const cancelled = withResolvers<string>();
    const { session } = await serve({
      bidi: (call) => {
        call.on('cancelled', () => {
          cancelled.resolve('cancelled');
        });
        for (let i = 0; i < 100; i += 1) call.write(Buffer.from(String(i)));
      },
    });
    const recorded = new RecordedStream(session, BIDI, {
      onMessage: (bytes) => {
        recorded.messages.push(bytes.toString());
        if (recorded.messages.length === 3) recorded.stream.cancel();
      },
    });

    expect(await cancelled.promise).toBe('cancelled');
    await eventually(() => session.openStreams === 0);
    expect(recorded.messages).toEqual(['0', '1', '2']);
    expect(recorded.ends).toBe(0);
  });

  it('holds back messages while paused, and the server too', async () => {
    let written = 0;
    const { session } = await serve({
      bidi: (call) => {
        const fill = (): void => {
          while (call.write(Buffer.alloc(65_536, written % 256))) written += 1;
          written += 1;
        };
        call.on('drain', fill);
        fill();
      },
    });
    const sizes: number[] = [];
    let pausedAt = 0;
    const recorded = new RecordedStream(session, BIDI, {
      onMessage: (bytes) => {
        sizes.push(bytes.length);
        if (pausedAt > 0) return;
        recorded.stream.pause();
        pausedAt = sizes.length;
      },
    });
    await eventually(() => pausedAt > 0);
    // The window of the other stream, and the session, are not affected.
    expect(String(await session.unary(UNARY, Buffer.alloc(2_000_000, 'x')))).toHaveLength(2_000_000);
    await eventually(async () => {
      const before = written;
      await session.ping();
      return before === written;
    });

    expect(sizes).toHaveLength(pausedAt);
    expect(written * 65_536).toBeLessThan(8_000_000);
    recorded.stream.resume();
    await eventually(() => sizes.length > 100);
  });

  it('delivers the messages and the end that arrived during a pause', async () => {
    const { session } = await serve();
    const recorded = new RecordedStream(session, BIDI, {
      onMessage: (bytes) => {
        recorded.messages.push(bytes.toString());
        recorded.stream.pause();
      },
    });
    for (const text of ['a', 'b', 'c']) recorded.stream.write(Buffer.from(text));
    recorded.stream.halfClose();

    await eventually(() => {
      recorded.stream.resume();
      return recorded.ends === 1;
    });

    expect(recorded.messages).toEqual(['a', 'b', 'c']);
    expect(await recorded.ended).toBeUndefined();
  });

  it('can be paused and resumed before the server has answered', async () => {
    const { session } = await serve();
    const recorded = new RecordedStream(session, BIDI);

    recorded.stream.pause();
    recorded.stream.resume();
    recorded.stream.write(Buffer.from('a'));
    recorded.stream.halfClose();

    expect(await recorded.ended).toBeUndefined();
    expect(recorded.messages).toEqual(['a']);
  });

  it('skips a message above the limit and goes on', async () => {
    const { session } = await serve({ maxMessageBytes: 1_000 });
    const recorded = new RecordedStream(session, BIDI, {
      onOversized: (head, length) => {
        recorded.messages.push(`skipped ${length}, first ${head.length}`);
      },
    });

    recorded.stream.write(Buffer.from('a'));
    recorded.stream.write(Buffer.alloc(3_000_000));
    recorded.stream.write(Buffer.from('b'));
    recorded.stream.halfClose();

    expect(await recorded.ended).toBeUndefined();
    expect(recorded.messages).toEqual(['a', 'skipped 3000000, first 1024', 'b']);
  });

  it.each(['onHeaders', 'onMessage', 'onOversized'] as const)(
    'ends only the stream whose %s throws',
    async (handler) => {
      const { session } = await serve({ maxMessageBytes: 8 });
      const thrown = new Error('a bug');
      const recorded = new RecordedStream(session, BIDI, {
        [handler]: () => {
          throw thrown;
        },
      });

      recorded.stream.write(Buffer.from(handler === 'onOversized' ? 'above the limit' : 'ab'));

      const error = await recorded.ended;
      expect(describeError(error)).toBe('INTERNAL: a handler of the stream threw an error (sent: maybe)');
      expect(error?.cause).toBe(thrown);
      expect(String(await session.unary(UNARY, Buffer.from('unharmed')))).toBe('unharmed');
    },
  );

  it('warns of an onEnd that throws', async () => {
    const { session } = await serve();
    const warned = withResolvers<Error>();
    process.once('warning', warned.resolve);

    const recorded = new RecordedStream(session, BIDI, {
      onEnd: () => {
        throw new Error('a bug at the end');
      },
    });
    recorded.stream.halfClose();

    expect((await warned.promise).message).toMatch(/^a callback of the HTTP\/2 transport failed: Error at /);
    expect(String(await session.unary(UNARY, Buffer.from('unharmed')))).toBe('unharmed');
  });

  it('drains when the server shuts down, and lets open calls finish', async () => {
    let draining = 0;
    const { server, session: other } = await serve();
    other.close();
    const port = await new Promise<number>((resolve) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_, bound) => {
        resolve(bound);
      });
    });
    const session = open({
      address: { host: '127.0.0.1', port },
      onDraining: () => {
        draining += 1;
      },
    });
    await session.ready;
    const recorded = new RecordedStream(session, BIDI);
    recorded.stream.write(Buffer.from('before'));
    await eventually(() => recorded.messages.length === 1);

    server.tryShutdown(() => undefined);
    await eventually(() => session.state === 'draining');

    expect(draining).toBe(1);
    expect(await session.ping()).toBe(true);
    expect(await failureOf(session.unary(UNARY, Buffer.alloc(1)))).toBe(
      'UNAVAILABLE: the peer ended the session with GOAWAY NO_ERROR (sent: no)',
    );
    recorded.stream.write(Buffer.from('after'));
    recorded.stream.halfClose();
    expect(await recorded.ended).toBeUndefined();
    expect(recorded.messages).toEqual(['before', 'after']);
    expect((await session.closed)?.failure).toBe('goaway');
  });

  it('ends everything at close, and leaves nothing behind', async () => {
    const resources = (): string[] => process.getActiveResourcesInfo().filter((name) => /TCP|Timeout/.test(name));
    const { session, server } = await serve();
    const recorded = new RecordedStream(session, BIDI, { timeoutMs: 600_000 });
    const call = failureOf(session.unary('/test.Test/Other', Buffer.alloc(1), { timeoutMs: 600_000 }));
    await call;
    const ping = session.ping();

    session.close();

    expect(describeError(await recorded.ended)).toBe('UNAVAILABLE: the session was closed (sent: maybe)');
    expect(await session.closed).toBeUndefined();
    expect(await ping).toBe(false);
    expect(session.state).toBe('closed');
    expect(await failureOf(session.unary(UNARY, Buffer.alloc(1)))).toBe(
      'UNAVAILABLE: the session was closed (sent: no)',
    );
    server.forceShutdown();
    await eventually(() => {
      expect(resources()).toEqual([]);
    });
  });
});
