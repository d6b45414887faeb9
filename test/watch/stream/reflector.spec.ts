import { describe, expect, it } from 'vitest';
import { ConnectionError, EtcdTriggerError, PermissionDeniedError } from '../../../lib/etcd-trigger.errors.js';
import { KeyRange } from '../../../lib/backend/key-range.js';
import { recordsByRawKey } from '../../../lib/backend/key-record.js';
import {
  CompactedError,
  FutureRevisionError,
  type ListWatcher,
  MessageTooLargeError,
  type RangeList,
  type WatchMessage,
  type WatchStream,
} from '../../../lib/backend/list-watcher.js';
import { Deferred } from '../../../lib/timing/deferred.js';
import type { RangeCache } from '../../../lib/watch/stream/range-cache.js';
import { Reflector, type ReflectorSink } from '../../../lib/watch/stream/reflector.js';

/** One stream of the script: the header of its member, the content of the store, the messages, and the end. */
interface Scripted {
  readonly cluster?: string;
  readonly head?: number;
  readonly refused?: EtcdTriggerError;
  readonly holds?: EtcdTriggerError | readonly number[];
  readonly sends?: readonly WatchMessage[];
  readonly ends?: EtcdTriggerError;
}

const record = (revision: number, rawKey = `k${revision}`) => ({
  rawKey,
  value: Buffer.from(String(revision)),
  revision,
  createRevision: revision,
  version: 1,
  lease: undefined,
});
const message = (...revisions: number[]): WatchMessage => ({
  revision: revisions.at(-1) ?? 0,
  fragment: false,
  changes: revisions.map((revision) => record(revision)),
});
const progress = (revision: number): WatchMessage => ({ revision, fragment: false, changes: [] });
const broken = new ConnectionError('broken pipe');

/** Plays the script, and records the requests of the reflector and the calls of its sink. */
async function play(lists: (RangeList | EtcdTriggerError)[], streams: Scripted[]): Promise<string[]> {
  const story: string[] = [];
  const finished = new Deferred();
  const source: ListWatcher = {
    list: () => {
      const next = lists.shift();
      if (!next) return new Promise(() => undefined);
      story.push('list');
      return next instanceof EtcdTriggerError ? Promise.reject(next) : Promise.resolve(next);
    },
    stamps: () => Promise.reject(broken),
    watch: (_range, start, { fragment }) => {
      const next = streams.shift();
      if (next) story.push(`watch ${start}${fragment ? ' in fragments' : ''}`);
      else finished.resolve();
      return next
        ? streamOf(next, story)
        : streamOf({ ends: undefined as never, refused: undefined as never, head: -1 }, []);
    },
  };
  let known: RangeCache | undefined;
  const sink: ReflectorSink = {
    listed: (cache) => {
      known = cache;
      story.push(`listed ${cache.next - 1}`);
    },
    changed: (change, notice) => {
      known?.apply(change);
      story.push(`${change.origin} ${change.revision}${notice ? ` ${notice.reason} from ${notice.fromRevision}` : ''}`);
    },
    following: () => story.push('following'),
    interrupted: ({ message: reason }) => story.push(`interrupted: ${reason}`),
    canAccept: () => true,
  };
  const backoff = { soon: () => 0, refused: () => 0 };
  const reflector = new Reflector(source, KeyRange.of('k'), sink, { backoff });
  reflector.start();
  await finished.promise;
  reflector.close();
  return story;
}

function streamOf(
  { cluster = 'c', head = 1_000, refused, holds = [], sends = [], ends }: Scripted,
  story: string[],
): WatchStream {
  const ended = new Deferred<EtcdTriggerError>();
  return {
    created: refused
      ? Promise.reject(refused)
      : head < 0
        ? new Promise(() => undefined)
        : Promise.resolve({ clusterId: cluster, revision: head }),
    ended: ended.promise,
    deliver: (receive) => {
      for (const sent of sends) receive(sent);
      if (ends) ended.resolve(ends);
    },
    stampsAt: (revision, { linearizable }) => {
      story.push(`compare at ${revision}${linearizable ? ' with the cluster' : ''}`);
      return holds instanceof EtcdTriggerError
        ? Promise.reject(holds)
        : Promise.resolve({ revision, clusterId: cluster, stamps: holds.map((revision) => record(revision)) });
    },
    pause: () => undefined,
    resume: () => undefined,
    cancel: () => undefined,
  };
}

const listOf = (revision: number, ...writes: number[]): RangeList => ({
  revision,
  clusterId: 'c',
  records: recordsByRawKey(writes.map((write) => record(write))),
});

describe('Reflector', () => {
  it('resumes after the last delivered revision, not after the revision of a header', async () => {
    const story = await play(
      [listOf(100, 90)],
      [
        { head: 500, sends: [message(101, 105)], ends: broken },
        { holds: [90, 101, 105], sends: [message(105, 106)], ends: broken },
      ],
    );

    expect(story).toEqual([
      'list',
      'listed 100',
      'watch 101',
      'following',
      'live 101',
      'live 105',
      'interrupted: broken pipe',
      'watch 106',
      'compare at 105',
      'following',
      'live 106',
      'interrupted: broken pipe',
    ]);
  });

  it('moves its cursor by progress notifications', async () => {
    const story = await play(
      [listOf(100)],
      [
        { sends: [progress(140)], ends: broken },
        { holds: [], ends: broken },
      ],
    );

    expect(story.filter((line) => line.startsWith('watch') || line.startsWith('compare'))).toEqual([
      'watch 101',
      'watch 141',
      'compare at 140',
    ]);
  });

  it('lists again after a compaction, delivers the difference, and follows from there', async () => {
    const story = await play(
      [listOf(100, 90), listOf(200, 150)],
      [{ ends: new CompactedError('k', 180) }, { ends: broken }],
    );

    expect(story).toEqual([
      'list',
      'listed 100',
      'watch 101',
      'following',
      'list',
      'resync 200 compacted from 101',
      'watch 201',
      'following',
      'interrupted: broken pipe',
    ]);
  });

  it('keeps its cursor if a member lags, after a linearizable comparison', async () => {
    const story = await play(
      [listOf(100, 90)],
      [{ ends: broken }, { head: 80, holds: [90], sends: [message(101)], ends: broken }],
    );

    expect(story.slice(-5)).toEqual([
      'watch 101',
      'compare at 100 with the cluster',
      'following',
      'live 101',
      'interrupted: broken pipe',
    ]);
    expect(story).not.toContain('resync 100 restored from 101');
  });

  it.each<[string, Scripted, string]>([
    ['the store went back', { head: 80, holds: new FutureRevisionError('future') }, 'restored'],
    ['the store went back and grew past the cursor', { holds: [95] }, 'restored'],
    ['it is another cluster', { cluster: 'other' }, 'cluster-changed'],
    ['the revision to compare at is compacted', { holds: new CompactedError('k', undefined) }, 'compacted'],
  ])('lists again if the history of the member differs: %s', async (_, second, reason) => {
    const story = await play(
      [listOf(100, 90), { ...listOf(60, 50), clusterId: second.cluster ?? 'c' }],
      [{ ends: broken }, second, { ...second, holds: [50], ends: broken }],
    );

    expect(story).toContain(`resync 60 ${reason} from 101`);
    expect(story).toContain('watch 61');
  });

  it('watches with fragments after a message was too large, until it has caught up', async () => {
    const story = await play(
      [listOf(100)],
      [
        { ends: new MessageTooLargeError('too large') },
        { head: 102, holds: [], sends: [message(101), message(102)] },
        { holds: [101, 102], ends: broken },
      ],
    );

    expect(story.filter((line) => /watch|live/.test(line))).toEqual([
      'watch 101',
      'watch 101 in fragments',
      'live 101',
      'live 102',
      'watch 103',
    ]);
  });

  it('retries after a refusal, without repeating an event', async () => {
    const story = await play(
      [new PermissionDeniedError('denied'), listOf(100)],
      [{ refused: new PermissionDeniedError('denied again') }, { holds: [], sends: [message(101)], ends: broken }],
    );

    expect(story).toEqual([
      'list',
      'interrupted: denied',
      'list',
      'listed 100',
      'watch 101',
      'interrupted: denied again',
      'watch 101',
      'compare at 100',
      'following',
      'live 101',
      'interrupted: broken pipe',
    ]);
  });
});

describe('a reflector that is closed while it lists', () => {
  it('reports no failure of the list that it has aborted', async () => {
    const called: string[] = [];
    const ended = new Deferred();
    const reflector: Reflector = new Reflector(
      {
        list: (_range, { signal }) =>
          new Promise((_, reject) => {
            setImmediate(() => {
              reflector.close();
            });
            signal.addEventListener('abort', () => {
              reject(signal.reason as Error);
              setImmediate(() => {
                ended.resolve();
              });
            });
          }),
        stamps: () => Promise.reject(broken),
        watch: () => streamOf({}, []),
      },
      KeyRange.of('k'),
      {
        listed: () => called.push('listed'),
        changed: () => called.push('changed'),
        following: () => called.push('following'),
        interrupted: () => called.push('interrupted'),
        failed: () => called.push('failed'),
        canAccept: () => true,
      },
    );
    reflector.start();
    await ended.promise;

    expect(called).toEqual([]);
  });
});
