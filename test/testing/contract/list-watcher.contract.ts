import { describe, expect, it } from 'vitest';
import { KeyRange } from '../../../lib/backend/key-range.js';
import { rawKeyOf, type KeyRecord } from '../../../lib/backend/key-record.js';
import type { ListWatcher, WatchMessage, WatchStream } from '../../../lib/backend/list-watcher.js';
import { RevisionAssembler } from '../../../lib/watch/stream/revision-flow.js';
import { eventually } from '../../support/eventually.js';
import type { ContractCluster } from './contract-cluster.js';
import { failureOf, openBackend } from './open-backend.js';

const { signal } = new AbortController();

/** Collects a stream's revisions as `12: /a=x /b-`, relative to the start of the test. */
class Flow {
  readonly lines: string[] = [];
  readonly #assembler = new RevisionAssembler();

  constructor(
    readonly stream: WatchStream,
    readonly base: number,
  ) {}

  readonly take = (message: WatchMessage): void => {
    for (const { revision, changes } of this.#assembler.push(message)) {
      const texts = changes.map(({ rawKey, value }) => rawKey + (value ? `=${value.toString()}` : '-'));
      this.lines.push(`${revision - this.base}: ${texts.sort().join(' ')}`);
    }
  };
}

const watch = (source: ListWatcher, prefix: string, start: number): WatchStream =>
  source.watch(KeyRange.of(prefix), start, { fragment: false, mayPause: true });

export function listWatcherContract(cluster: () => ContractCluster): void {
  describe('listing and watching ranges', () => {
    it('lists a range as it is, and as it was, in the order of its bytes', async () => {
      using backend = openBackend(cluster().client);
      const { listWatcher } = backend;
      const list = async (target: Parameters<typeof KeyRange.of>[0], revision?: number): Promise<string[]> => {
        const { records } = await listWatcher.list(KeyRange.of(target), { revision, signal });
        return [...records.values()].map(({ rawKey, value }) => `${rawKey}=${value.toString()}`);
      };
      const first = await cluster().write({ '/list/b': '1', '/list/a': '2', '/list': '3' });
      await cluster().write({ '/list/b': undefined, '/list/\u00e9': '4', '/list/a/': '5', '/list/Z': '6' });

      expect(await list('/list/')).toEqual(['/list/Z=6', '/list/a=2', '/list/a/=5', `/list/${rawKeyOf('\u00e9')}=4`]);
      expect(await list('/list/', first)).toEqual(['/list/a=2', '/list/b=1']);
      expect(await list({ key: '/list' })).toEqual(['/list=3']);
      expect(await list({ key: '/list/' })).toEqual([]);
    });

    it('tells of records while others are to come, each once and in the order of the list', async () => {
      using backend = openBackend(cluster().client);
      const keys = Array.from({ length: 600 }, (_, index) => `/many/${String(index).padStart(3, '0')}`);
      for (let from = 0; from < keys.length; from += 100) {
        await cluster().write(Object.fromEntries(keys.slice(from, from + 100).map((key) => [key, key])));
      }
      const arrived: KeyRecord[] = [];

      const { records } = await backend.listWatcher.list(KeyRange.of('/many/'), {
        signal,
        onPage: (some) => arrived.push(...some),
      });

      expect(arrived.map(({ rawKey }) => rawKey)).toEqual(keys);
      expect(arrived).toEqual([...records.values()]);
    });

    it('says at which revision, and does not list what is compacted or to come', async () => {
      using backend = openBackend(cluster().client);
      const range = KeyRange.of('/past/');
      await cluster().write({ '/past/a': '1' });
      const head = await cluster().write({ '/past/a': '2' });
      await cluster().compact(head);
      const list = (revision?: number): ReturnType<ListWatcher['list']> =>
        backend.listWatcher.list(range, { revision, signal });

      expect((await list()).revision).toBe(head);
      expect((await list(head)).records.size).toBe(1);
      expect((await backend.listWatcher.stamps(range, { signal })).stamps).toMatchObject([
        { rawKey: '/past/a', revision: head, createRevision: head - 1, version: 2 },
      ]);
      expect(await failureOf(list(head - 1))).toEqual({
        name: 'CompactedError',
        message: 'list prefix "/past/": the history is compacted',
      });
      expect((await failureOf(list(head + 1))).name).toBe('FutureRevisionError');
    });

    it('hands over every revision from the one that was asked for, whole and in order', async () => {
      using backend = openBackend(cluster().client);
      const base = await cluster().write({ '/w/a': '0' });
      await cluster().write({ '/w/a': '1', '/w/b': '1', '/other': '1' });
      await cluster().write({ '/other': '2' });
      const head = await cluster().write({ '/w/a': undefined });
      const stream = watch(backend.listWatcher, '/w/', base + 1);
      const flow = new Flow(stream, base);
      const header = await stream.created;
      stream.deliver(flow.take);
      await eventually(() => flow.lines.length === 2);
      await cluster().write({ '/w/c': '3', '/w/b': undefined });
      await cluster().write({ '/w/b': '4' });
      await eventually(() => flow.lines.length === 4);

      expect(header.revision).toBe(head);
      expect(header.clusterId).toBe((await backend.listWatcher.list(KeyRange.of('/w/'), { signal })).clusterId);
      expect(flow.lines).toEqual(['1: /w/a=1 /w/b=1', '3: /w/a-', '4: /w/b- /w/c=3', '5: /w/b=4']);
    });

    it('waits for a revision that is to come', async () => {
      using backend = openBackend(cluster().client);
      const base = await cluster().write({ '/f/a': '0' });
      const stream = watch(backend.listWatcher, '/f/', base + 2);
      const flow = new Flow(stream, base);
      await stream.created;
      stream.deliver(flow.take);
      await cluster().write({ '/f/a': '1' });
      await cluster().write({ '/f/a': '2' });
      await eventually(() => flow.lines.length > 0);

      expect(flow.lines).toEqual(['2: /f/a=2']);
    });

    it('lets nothing flow before delivery begins, nor while it is paused, nor when it is cancelled', async () => {
      using backend = openBackend(cluster().client);
      const base = await cluster().write({ '/p/a': '0' });
      const [stream, witness] = [1, 1].map((ahead) => watch(backend.listWatcher, '/p/', base + ahead)) as [
        WatchStream,
        WatchStream,
      ];
      const [flow, other] = [new Flow(stream, base), new Flow(witness, base)];
      await Promise.all([stream.created, witness.created]);
      witness.deliver(other.take);
      await cluster().write({ '/p/a': '1' });
      await eventually(() => other.lines.length === 1);
      expect(flow.lines).toEqual([]);

      stream.deliver(flow.take);
      await eventually(() => flow.lines.length === 1);
      stream.pause();
      await cluster().write({ '/p/a': '2' });
      await eventually(() => other.lines.length === 2);
      expect(flow.lines).toEqual(['1: /p/a=1']);

      stream.resume();
      await eventually(() => flow.lines.length === 2);
      stream.cancel();
      await cluster().write({ '/p/a': '3' });
      await eventually(() => other.lines.length === 3);
      expect(flow.lines).toEqual(['1: /p/a=1', '2: /p/a=2']);
      expect((await stream.ended).name).toBe('ConnectionError');
    });

    it('ends a watch of what is compacted, saying up to where', async () => {
      using backend = openBackend(cluster().client);
      const base = await cluster().write({ '/c/a': '0' });
      await cluster().write({ '/c/a': '1' });
      await cluster().compact(base + 1);
      const late = watch(backend.listWatcher, '/c/', base);
      await late.created;
      late.deliver(() => undefined);
      const reason = await late.ended;
      const inTime = watch(backend.listWatcher, '/c/', base + 1);
      const flow = new Flow(inTime, base);
      await inTime.created;
      inTime.deliver(flow.take);
      await eventually(() => flow.lines.length > 0);

      expect(reason).toMatchObject({
        name: 'CompactedError',
        compactRevision: base + 1,
        message: `watch prefix "/c/": the history is compacted up to revision ${base + 1}`,
      });
      expect(flow.lines).toEqual(['1: /c/a=1']);
    });

    it('compares on the stream itself what the store held', async () => {
      using backend = openBackend(cluster().client);
      const base = await cluster().write({ '/s/a': '0' });
      await cluster().write({ '/s/b': '1' });
      const stream = watch(backend.listWatcher, '/s/', base + 1);
      await stream.created;
      const at = async (revision: number): Promise<string[]> =>
        (await stream.stampsAt(revision, { linearizable: true })).stamps.map(({ rawKey }) => rawKey);

      expect(await at(base)).toEqual(['/s/a']);
      expect(await at(base + 1)).toEqual(['/s/a', '/s/b']);
      expect((await failureOf(at(base + 2))).name).toBe('FutureRevisionError');
    });

    it('rejects a comparison on a stream that has ended, with the reason of the end', async () => {
      using backend = openBackend(cluster().client);
      const base = await cluster().write({ '/s/c': '0' });
      const stream = watch(backend.listWatcher, '/s/', base + 1);
      await stream.created;
      stream.cancel();
      const { name, message } = await stream.ended;

      expect(message).toBe('watch prefix "/s/": cancelled');
      expect(await failureOf(stream.stampsAt(base, { linearizable: true }))).toMatchObject({ name, message });
    });

    it('ends when the connection does, and knows keys without the prefix of the application', async () => {
      using backend = openBackend(cluster().client, '/mine');
      const base = await cluster().write({ '/mine/e/a': '0', '/e/a': '0' });
      const stream = watch(backend.listWatcher, '/e/', base);
      const flow = new Flow(stream, base);
      await stream.created;
      stream.deliver(flow.take);
      await eventually(() => flow.lines.length > 0);
      await cluster().disconnect();

      expect(flow.lines).toEqual(['0: /e/a=0']);
      expect((await stream.ended).name).toBe('ConnectionError');
      expect((await failureOf(backend.listWatcher.list(KeyRange.of('/e/'), { signal }))).name).toBe('ConnectionError');
      await cluster().reconnect();
      const { records } = await backend.listWatcher.list(KeyRange.of('/e/'), { signal });
      expect([...records.keys()]).toEqual(['/e/a']);
    });

    it('denies a range of which anything is denied, and only that', async () => {
      using backend = openBackend(cluster().restrictedClient);
      const { listWatcher } = backend;
      const message = (range: string): object => ({
        name: 'PermissionDeniedError',
        message: `list ${range}: etcdserver: permission denied; a role of the client's user needs the permission`,
      });
      const list = (target: Parameters<typeof KeyRange.of>[0]): ReturnType<ListWatcher['list']> =>
        listWatcher.list(KeyRange.of(target), { signal });

      expect(await failureOf(list('/denied/'))).toEqual(message('prefix "/denied/"'));
      expect(await failureOf(list('/denied/deeper/'))).toEqual(message('prefix "/denied/deeper/"'));
      expect(await failureOf(list('/'))).toEqual(message('prefix "/"'));
      expect(await failureOf(list({ key: '/denied/a' }))).toEqual(message('key "/denied/a"'));
      expect((await failureOf(watch(listWatcher, '/denied/', 1).created)).name).toBe('PermissionDeniedError');
      expect((await list('/allowed/')).records.size).toBe(0);
      expect((await watch(listWatcher, '/allowed/', 1).created).revision).toBeGreaterThan(0);
    });
  });
}
