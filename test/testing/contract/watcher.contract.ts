import type { WatchEvent } from 'nestjs-etcd-trigger';
import { settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { Recorder } from '../../support/recorder.js';
import { type StartedApp, startApp } from '../../support/start-app.js';
import type { ContractCluster } from './contract-cluster.js';
import { failureOf } from './open-backend.js';

/** Describes an event as `live put /a 1 (was 0) r3 c2 v2`, with revisions relative to the start of the test. */
const line = ({ origin, type, key, value, previous, revision, createRevision, version }: WatchEvent, base: number) =>
  `${origin} ${type} ${key} ${value?.toString() ?? '-'} (was ${previous?.toString() ?? '-'}) r${revision - base}` +
  (type === 'put' ? ` c${createRevision - base} v${version}` : ` c${createRevision} v${version}`);

export function watcherContract(cluster: () => ContractCluster): void {
  const start = (keyPrefix = ''): Promise<StartedApp> => startApp({ hosts: '', client: cluster().client, keyPrefix });

  describe('a WatcherService', () => {
    it('hands over what exists, then every change, with what was before', async () => {
      await using started = await start();
      const base = await cluster().write({ '/we/b': 'b0', '/we/a': 'a0' });
      const recorder = new Recorder();
      const subscription = await started.watcher.watch('/we/', recorder.onEvent);
      await subscription.initialDelivered;
      await cluster().write({ '/we/a': 'a1' });
      await cluster().write({ '/we/b': undefined });
      await cluster().write({ '/we/b': 'b1', '/weird': 'x' });
      await settled(started.app);

      expect(recorder.events.map((event) => line(event, base))).toEqual([
        'initial put /we/a a0 (was -) r0 c0 v1',
        'initial put /we/b b0 (was -) r0 c0 v1',
        'live put /we/a a1 (was a0) r1 c0 v2',
        'live delete /we/b - (was b0) r2 c0 v0',
        'live put /we/b b1 (was -) r3 c3 v1',
      ]);
      expect([subscription.status, subscription.revision - base]).toEqual(['following', 3]);
    });

    it('is starting until its first stream is accepted, also beside one that follows', async () => {
      await using started = await start();
      const base = await cluster().write({ '/ws/a': '0' });
      await cluster().write({ '/ws/a': '1' });
      const subscription = await started.watcher.watch('/ws/', () => undefined);
      expect(subscription.status).toBe('starting');
      await eventually(() => subscription.status === 'following');

      const shared = await started.watcher.watch('/ws/', () => undefined);
      const past = await started.watcher.watch('/ws/', () => undefined, { fromRevision: base });
      expect([shared.status, past.status]).toEqual(['following', 'starting']);
      await eventually(() => past.status === 'following');

      await past.close();
      expect(past.status).toBe('closed');
    });

    it('hands over whole revisions, from one in the past on', async () => {
      await using started = await start('/pre');
      const base = await cluster().write({ '/pre/wb/a': '0' });
      await cluster().write({ '/pre/wb/a': '1', '/pre/wb/b': '1', '/wb/c': '1' });
      await cluster().write({ '/pre/wb/a': undefined, '/pre/wb/b': '2' });
      const batches: string[] = [];
      await started.watcher.watchBatch(
        '/wb/',
        ({ revision, origin, events }) =>
          batches.push(
            `${revision - base} ${origin}: ${events.map(({ type, key, previous }) => `${type} ${key} ${previous?.toString() ?? '-'}`).join(', ')}`,
          ),
        { fromRevision: base + 1 },
      );
      await settled(started.app);
      await cluster().write({ '/pre/wb/b': '3' });
      await settled(started.app);

      expect(batches).toEqual([
        '1 live: put /wb/a 0, put /wb/b -',
        '2 live: delete /wb/a 1, put /wb/b 1',
        '3 live: put /wb/b 2',
      ]);
    });

    it('refuses to begin where nothing is', async () => {
      await using started = await start();
      const base = await cluster().write({ '/wr/a': '0' });
      const head = await cluster().write({ '/wr/a': '1' });
      await cluster().compact(head);
      const from = (fromRevision: number) =>
        failureOf(started.watcher.watch('/wr/', () => undefined, { fromRevision }));

      expect(await from(base)).toEqual({
        name: 'WatchError',
        message: `watch prefix "/wr/": fromRevision ${base} is compacted; the first revision available is ${head + 1}`,
      });
      expect(await from(head + 2)).toEqual({
        name: 'InvalidOptionsError',
        message: `watch prefix "/wr/": fromRevision ${head + 2} is more than one ahead of the store's revision`,
      });
      const subscription = await started.watcher.watch('/wr/', () => undefined, { fromRevision: head + 1 });
      await eventually(() => subscription.status === 'following');
    });

    it('misses nothing and repeats nothing when the connection is cut', async () => {
      await using started = await start();
      const base = await cluster().write({ '/wd/a': '0' });
      const recorder = new Recorder();
      const subscription = await started.watcher.watch({ key: '/wd/a' }, recorder.onEvent, {
        onResync: recorder.onResync,
      });
      await settled(started.app);
      await cluster().disconnect();
      for (const value of ['1', '2', '3']) await cluster().write({ '/wd/a': value, '/wd/b': value });
      await cluster().reconnect();
      await settled(started.app);
      await cluster().write({ '/wd/a': '4' });
      await settled(started.app);

      expect(recorder.revisions.map((revision) => revision - base)).toEqual([0, 1, 2, 3, 4]);
      expect(recorder.notices).toEqual([]);
      expect(subscription.status).toBe('following');
    });

    it('delivers the difference when the history is compacted meanwhile, and says for which revisions it stands', async () => {
      await using started = await start();
      const base = await cluster().write({ '/wc/same': '0', '/wc/changed': '0', '/wc/deleted': '0' });
      const recorder = new Recorder();
      await started.watcher.watch('/wc/', recorder.onEvent, { onResync: recorder.onResync });
      await settled(started.app);
      await cluster().disconnect();
      await cluster().write({ '/wc/changed': '1', '/wc/brief': '1' });
      await cluster().write({ '/wc/deleted': undefined, '/wc/brief': undefined });
      const head = await cluster().write({ '/wc/new': '3' });
      await cluster().compact(head);
      await cluster().reconnect();
      await settled(started.app);

      expect(recorder.events.slice(3).map((event) => line(event, base))).toEqual([
        'resync put /wc/changed 1 (was 0) r1 c0 v2',
        'resync delete /wc/deleted - (was 0) r3 c0 v0',
        'resync put /wc/new 3 (was -) r3 c3 v1',
      ]);
      expect(recorder.notices).toEqual([
        {
          target: { prefix: '/wc/' },
          fromRevision: base + 1,
          toRevision: head,
          reason: 'compacted',
          deletionsKnown: true,
        },
      ]);
    });

    it('reads, writes and deletes, and says what it cannot do', async () => {
      await using started = await start();
      const { watcher } = started;
      const base = await cluster().revision();
      const { revision } = await watcher.put('/wg/a', 'x');
      const { key, value, ...rest } = await watcher.get('/wg/a');

      expect(revision - base).toBe(1);
      expect([key, value.toString()]).toEqual(['/wg/a', 'x']);
      expect(rest).toMatchObject({ revision, createRevision: revision, version: 1, lease: undefined });
      expect(await watcher.delete('/wg/a')).toEqual({ revision: revision + 1, deleted: 1 });
      expect(await watcher.delete('/wg/a')).toEqual({ revision: revision + 1, deleted: 0 });
      expect(await failureOf(watcher.get('/wg/a'))).toEqual({
        name: 'KeyNotFoundError',
        message: 'get "/wg/a": etcd has no such key',
      });
    });

    it('shows keys that hang on a lease, until it ends and takes them along at one revision', async () => {
      await using started = await start();
      const { shortTtlSeconds } = cluster();
      const lease = await cluster().grantLease(shortTtlSeconds);
      await started.watcher.put('/wl/free', '0');
      await started.watcher.put('/wl/b', '1', { lease });
      const { revision: base } = await started.watcher.put('/wl/a', '2', { lease });
      const batches: string[] = [];
      await started.watcher.watchBatch('/wl/', ({ revision, events }) => {
        batches.push(
          `${revision - base}: ${events.map(({ type, key, lease: of }) => `${type} ${key} ${of === lease ? 'leased' : (of ?? '-')}`).join(', ')}`,
        );
      });
      await cluster().pass(shortTtlSeconds * 1_000 + 1);
      await eventually(() => batches.length > 1);

      expect(batches).toEqual([
        '0: put /wl/a leased, put /wl/b leased, put /wl/free -',
        '1: delete /wl/a -, delete /wl/b -',
      ]);
      expect(await failureOf(started.watcher.put('/wl/a', '3', { lease }))).toMatchObject({
        message: 'put "/wl/a": etcdserver: requested lease not found',
      });
    });

    it('is denied one target and follows another', async () => {
      await using started = await startApp({ hosts: '', client: cluster().restrictedClient });
      const recorder = new Recorder();
      await started.watcher.watch('/allowed/w/', recorder.onEvent);
      const denied = started.watcher.watch('/denied/', recorder.onEvent);

      expect((await failureOf(denied)).name).toBe('PermissionDeniedError');
      await started.watcher.put('/allowed/w/a', '1');
      await settled(started.app);
      expect(recorder.state).toEqual({ '/allowed/w/a': '1' });
    });
  });

  describe('a store that comes back empty', () => {
    it('is another past: what was there is gone, and what is there now follows', async () => {
      await using started = await start();
      const base = await cluster().write({ '/ww/old': '0', '/ww/both': '0' });
      const recorder = new Recorder();
      await started.watcher.watch('/ww/', recorder.onEvent, { onResync: recorder.onResync });
      await settled(started.app);
      await cluster().disconnect();
      await cluster().wipe();
      const head = await cluster().write({ '/ww/both': '1' });
      await cluster().reconnect();
      await settled(started.app);

      expect(head).toBe(2);
      expect(recorder.events.slice(2).map((event) => line(event, head))).toEqual([
        'resync put /ww/both 1 (was 0) r0 c0 v1',
        'resync delete /ww/old - (was 0) r0 c0 v0',
      ]);
      expect(recorder.notices).toEqual([
        {
          target: { prefix: '/ww/' },
          fromRevision: base + 1,
          toRevision: head,
          reason: 'restored',
          deletionsKnown: true,
        },
      ]);
    });
  });
}
