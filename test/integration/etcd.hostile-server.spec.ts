import { ConnectionError } from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { CollectingLogger } from '../support/collecting-logger.js';
import { eventually } from '../support/eventually.js';
import { grpcMessage } from '../support/frames.js';
import { watchMany } from '../support/many-watches.js';
import { Recorder } from '../support/recorder.js';
import {
  created,
  events,
  type EtcdScript,
  rangeResponse,
  ScriptedEtcd,
  type ScriptedRequest,
  type ScriptedStream,
} from '../support/scripted-etcd.js';
import { startApp } from '../support/start-app.js';

const STREAMS = 16;
const MESSAGES_PER_CHUNK = 10_000;

/** Pauses between the streams that a client opened. */
const pausesOf = (times: readonly number[]): number[] =>
  times.slice(1).map((time, index) => time - (times[index] ?? 0));
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/**
 * Expects that streams are opened at most a few times a second, with growing pauses. A pause contains the time in which
 * the machine was busy, so the shortest of the first ones counts.
 */
function expectBackoff(times: readonly number[]): void {
  const pauses = pausesOf(times);
  const last = mean(pauses.slice(-8));
  expect(last).toBeGreaterThan(200);
  expect(last).toBeGreaterThan(2 * Math.min(...pauses.slice(0, 3)));
}

/** Expects that the watch is interrupted for the reason each time, and tries again with a backoff. */
async function expectRetries(watch: EtcdScript['watch'], reason: string): Promise<void> {
  using server = await ScriptedEtcd.start({ ...(watch && { watch }) });
  const logger = new CollectingLogger();
  await using app = await startApp({ hosts: server.endpoint, logger });
  const recorder = new Recorder();
  const before = process.memoryUsage().rss;
  await app.watcher.watch('/app/w/', recorder.onEvent, { onResync: recorder.onResync });
  await eventually(() => server.watchStreams.length >= STREAMS);

  expect(logger.text).toContain(reason);
  expectBackoff(server.watchStreams);
  // One line for each interruption; one that takes longer than a second has a line more, at its beginning.
  const ends = logger.lines.filter(({ text }) => text.includes('following again'));
  expect(ends.length).toBeLessThanOrEqual(server.watchStreams.length);
  expect(recorder.notices).toEqual([]);
  expect(process.memoryUsage().rss - before).toBeLessThan(200_000_000);
}

describe.concurrent('a server that breaks the protocol of etcd:', () => {
  const afterCreated =
    (...messages: ((watchId: number) => Buffer)[]): EtcdScript['watch'] =>
    (stream, { watchId }) => {
      stream.send(created(watchId), ...messages.map((message) => message(watchId)));
    };

  it.each<[string, EtcdScript['watch'], string]>([
    [
      'a watch that is created twice',
      afterCreated((id) => created(id)),
      'the server answered a watch that was not requested',
    ],
    [
      'an event of a key outside of the range',
      afterCreated((id) => events(id, [{ key: '/other/1', revision: 11 }])),
      'the server sent an event of a key outside of the range',
    ],
    [
      'a revision that goes back from one message to the next',
      afterCreated(
        (id) => events(id, [{ key: '/app/w/1', revision: 20 }]),
        (id) => events(id, [{ key: '/app/w/2', revision: 15 }]),
      ),
      'the server sent revision 15 after 20',
    ],
    [
      'a revision that goes back within a message',
      afterCreated((id) =>
        events(id, [
          { key: '/app/w/1', revision: 20 },
          { key: '/app/w/2', revision: 15 },
        ]),
      ),
      'the server sent revision 15 after 20',
    ],
    [
      'an event without a key',
      afterCreated((id) => Buffer.concat([events(id, []), Buffer.from([0x5a, 0])])),
      'an event in the message has no key',
    ],
    [
      'a message that is no message of etcd',
      afterCreated(() => Buffer.from([0xff, 0xff, 0xff])),
      'the server sent a message that is not valid for etcd',
    ],
    [
      'a stream that ends right after the watch is created',
      (stream, { watchId }) => {
        stream.send(created(watchId));
        stream.end();
      },
      'ended the watch stream',
    ],
  ])('%s interrupts the watch, which tries again with a backoff', (_, watch, reason) => expectRetries(watch, reason));

  it('streams that end right after the watches are created are opened as rarely for 50 targets', async () => {
    using server = await ScriptedEtcd.start({
      watch: (stream, { watchId }) => {
        stream.send(created(watchId));
        stream.end();
      },
    });
    await using app = await startApp({ hosts: server.endpoint });
    await watchMany(app.watcher, 50);
    await eventually(() => server.watchStreams.length >= STREAMS);

    expectBackoff(server.watchStreams);
  });
});

// Alone, because it takes so much of the processor that the pauses of the others would grow.
it('messages without events, without end interrupt the watch, which tries again with a backoff', async () => {
  const flood: EtcdScript['watch'] = (stream, { watchId }) => {
    stream.send(created(watchId));
    const message = grpcMessage(Buffer.from([0x10, watchId]));
    void stream.flood(Buffer.concat(Array.from({ length: MESSAGES_PER_CHUNK }, () => message)));
  };

  await expectRetries(flood, 'the server sends more messages without events than any etcd');
});

it('members that accept watch streams and never answer on them are left for another member', async () => {
  const mute = { watch: () => undefined };
  using first = await ScriptedEtcd.start(mute);
  using second = await ScriptedEtcd.start(mute);
  using answering = await ScriptedEtcd.start({
    watch: (stream, { watchId }) => {
      stream.send(created(watchId));
    },
  });
  await using app = await startApp({ hosts: [first.endpoint, second.endpoint, answering.endpoint] });
  const [watch] = await watchMany(app.watcher, 1);

  await eventually(() => watch?.subscription.status === 'following');

  expect(answering.watchStreams).toHaveLength(1);
});

describe.concurrent('a list that breaks the protocol of etcd causes a ConnectionError:', () => {
  const numbered = (first: number, count: number) =>
    Array.from({ length: count }, (_, index) => ({ key: `/w/${String(first + index).padStart(9, '0')}`, revision: 5 }));
  /** The number in the key that a page begins with. */
  const firstOf = ({ key }: ScriptedRequest): number => Number(/\d+/.exec(key)?.[0] ?? -1) + 1;

  it.each<[string, (request: ScriptedRequest) => Buffer, string]>([
    [
      'pages without end',
      (request) => rangeResponse(numbered(firstOf(request), 500), { more: true, count: 2_000 }),
      'the server sent keys that were not requested',
    ],
    [
      'pages without end that name no number of keys',
      (request) => rangeResponse(numbered(firstOf(request), 500), { more: true, count: 0 }),
      'the server sent keys that were not requested',
    ],
    [
      'a page that is repeated',
      () => rangeResponse(numbered(0, 500), { more: true, count: 2_000 }),
      'the server sent keys that were not requested',
    ],
    [
      'an empty page that is not the last',
      () => rangeResponse([], { more: true, count: 2_000 }),
      'the server sent keys that were not requested',
    ],
    [
      'a key outside of the range',
      () => rangeResponse([{ key: '/other/1', revision: 5 }]),
      'the server sent keys that were not requested',
    ],
    ['an invalid message', () => Buffer.from([0xff, 0xff, 0xff]), 'the answer is not a valid message of etcd'],
  ])('%s', async (_, range, reason) => {
    using server = await ScriptedEtcd.start({ range });
    await using app = await startApp({ hosts: server.endpoint, requestTimeoutMs: 1_000 });
    const watching = app.watcher.watch('/w/', () => undefined);

    await expect(watching).rejects.toThrow(ConnectionError);
    await expect(watching).rejects.toThrow(reason);
    expect(server.pages).toBeLessThan(200);
  });

  it('a key without the key prefix', async () => {
    using server = await ScriptedEtcd.start({ range: () => rangeResponse([{ key: '/else/w/1', revision: 5 }]) });
    await using app = await startApp({ hosts: server.endpoint, keyPrefix: '/app', requestTimeoutMs: 1_000 });

    await expect(app.watcher.watch('/w/', () => undefined)).rejects.toThrow(
      'the answer is not a valid message of etcd',
    );
  });
});

it('an event of a key without the key prefix interrupts the watch with the reason', async () => {
  const watch = (stream: ScriptedStream, { watchId }: ScriptedRequest) => {
    stream.send(created(watchId), events(watchId, [{ key: '/else/w/1', revision: 11 }]));
  };
  using server = await ScriptedEtcd.start({ watch });
  const logger = new CollectingLogger();
  await using app = await startApp({ hosts: server.endpoint, keyPrefix: '/app', logger });
  const recorder = new Recorder();
  await app.watcher.watch('/w/', recorder.onEvent);
  await eventually(() => logger.text.includes('key prefix'));

  expect(recorder.events).toEqual([]);
});
