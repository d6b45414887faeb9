import { Inject, Injectable, type Type } from '@nestjs/common';
import { IsInt } from 'class-validator';
import {
  type DeliveryContext,
  type Fence,
  KeyNotFoundError,
  type ResyncNotice,
  type WatchEvent,
  WatchKey,
} from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { errorClass } from '../../../lib/foreign/foreign-error.js';
import { eventually } from '../../support/eventually.js';
import { startApp, type StartedApp } from '../../support/start-app.js';
import type { ContractCluster } from './contract-cluster.js';

class Count {
  @IsInt() count!: number;
}

/** The calls of all instances, in their order. */
const JOURNAL = Symbol('Journal');

interface Journal {
  readonly calls: string[];
  readonly fences: Fence[];
  readonly notices: ResyncNotice[];
}

@Injectable()
class Orders {
  constructor(@Inject(JOURNAL) readonly journal: Journal) {}

  @WatchKey('/gr/', { group: { name: 'orders', partitions: 2 } })
  async on({ key, value, previous, origin }: WatchEvent, context: DeliveryContext): Promise<void> {
    await context.commit((tx) => {
      tx.put(`/ef${key}/${value?.toString() ?? 'deleted'}`, Count, { count: 1 });
    });
    if (context.fence) this.journal.fences.push(context.fence);
    this.journal.calls.push(`${key}=${value?.toString() ?? ''}<${previous?.toString() ?? ''} ${origin}`);
  }
}

/** Each event has an effect; those of `taken` and `same` want a key that others have or want. */
@Injectable()
class Sharing {
  constructor(@Inject(JOURNAL) readonly journal: Journal) {}

  @WatchKey('/sh/', { group: 'sharing' })
  async on({ key }: WatchEvent, context: DeliveryContext): Promise<void> {
    const name = key.slice('/sh/'.length).replace(/^same-.*/, 'same');
    try {
      await context.commit((tx) => {
        tx.put(`/ef/${name}`, Count, { count: 1 }, name === 'taken' ? { ifAbsent: true } : {});
        tx.put(`/ef/of/${key.slice(1)}`, Count, { count: 1 });
      });
      this.journal.calls.push(key);
    } catch (error) {
      this.journal.calls.push(`${key} ${errorClass(error)}`);
    }
  }
}

export function groupsContract(cluster: () => ContractCluster): void {
  describe('handler groups', () => {
    let prefix = '';
    let journal: Journal = { calls: [], fences: [], notices: [] };

    const begin = (): void => {
      prefix = `/groups-${Math.random().toString(36).slice(2)}`;
      journal = { calls: [], fences: [], notices: [] };
    };
    const start = (handler: Type = Orders): Promise<StartedApp> =>
      startApp(
        {
          hosts: '',
          client: cluster().client,
          keyPrefix: prefix,
          coordination: { prefix: '/co', ttlSeconds: 5 },
          configs: [{ prefix: '/ef/', type: Count }],
        },
        { providers: [{ provide: JOURNAL, useValue: journal }, handler] },
      );
    /** Resolves when both partitions have an owner. */
    const owned = async ({ watcher }: StartedApp): Promise<void> => {
      for (const partition of ['000', '001'])
        await eventually(() => watcher.get(`/co/v1/groups/orders/owners/${partition}`));
    };
    const write = async (key: string, value: string | undefined): Promise<void> => {
      await cluster().write({ [`${prefix}/gr/${key}`]: value });
    };
    const handled = (...calls: readonly string[]): Promise<unknown> =>
      eventually(() => {
        expect([...journal.calls].sort()).toEqual([...calls].sort());
      });
    /** Each effect was written once. */
    const countWrites = async ({ watcher }: StartedApp, keys: readonly string[]): Promise<void> => {
      for (const key of keys) expect((await watcher.get(`/ef/gr/${key}`)).version).toBe(1);
    };

    it('handle the existing keys, and what happens while no instance is running', async () => {
      begin();
      await write('a', '1');
      const first = await start();
      await handled('/gr/a=1< initial');
      await first[Symbol.asyncDispose]();
      await write('a', '2');
      await write('b', '1');
      await write('a', undefined);
      await using second = await start();
      await handled('/gr/a=1< initial', '/gr/a=2<1 live', '/gr/b=1< live', '/gr/a=<2 live');
      await countWrites(second, ['a/1', 'a/2', 'a/deleted', 'b/1']);
    });

    it('handle each event once when the connection is lost', async () => {
      begin();
      await using one = await start();
      await owned(one);
      await write('a', '0');
      await handled('/gr/a=0< live');
      const expected = ['/gr/a=0< live'];
      for (let round = 1; round <= 5; round += 1) {
        if (round % 2 === 0) await cluster().freeze();
        await write('a', String(round));
        await cluster().disconnect();
        await cluster().reconnect();
        expected.push(`/gr/a=${round}<${round - 1} live`);
        await handled(...expected);
      }
      await countWrites(one, ['a/0', 'a/1', 'a/2', 'a/3', 'a/4', 'a/5']);
    });

    it('deliver the difference if the history is lost', async () => {
      begin();
      await write('a', '1');
      await write('b', '1');
      const first = await start();
      await handled('/gr/a=1< initial', '/gr/b=1< initial');
      await first[Symbol.asyncDispose]();
      journal.calls.length = 0;
      await write('a', '2');
      await write('a', '3');
      await cluster().compact(await cluster().revision());
      await using second = await start();
      await handled('/gr/a=3< resync');
      await write('a', '4');
      await handled('/gr/a=3< resync', '/gr/a=4<3 live');
      await countWrites(second, ['a/1', 'a/3', 'a/4', 'b/1']);
    });

    it('move to the next owner when a lease is revoked', async () => {
      begin();
      await using one = await start();
      await owned(one);
      await write('a', '1');
      await handled('/gr/a=1< live');
      const { lease = '' } = await one.watcher.get('/co/v1/groups/orders/owners/000');
      await cluster().revokeLease(lease);
      const [fence] = journal.fences;
      await eventually(() => fence?.held === false && fence.signal.aborted);
      await write('a', '2');
      // The next renewal finds that the lease is gone.
      await cluster().pass(2_000);
      await handled('/gr/a=1< live', '/gr/a=2<1 live');
      expect(journal.fences[1]?.token).toBeGreaterThan(fence?.token ?? Infinity);
      await countWrites(one, ['a/1', 'a/2']);
    });

    it('store commits that wait at the same time together, and refuse only the one whose condition fails', async () => {
      begin();
      const others = Array.from({ length: 9 }, (_, index) => `other-${index}`);
      const events = [...others, 'same-1', 'same-2', 'taken'];
      await cluster().write({ [`${prefix}/ef/taken`]: '{"count":7}' });
      await cluster().write(Object.fromEntries(events.map((name) => [`${prefix}/sh/${name}`, '1'])));
      await using one = await start(Sharing);
      await handled(...events.map((name) => `/sh/${name}${name === 'taken' ? ' RevisionConflictError' : ''}`));

      const revisions = await Promise.all(
        events.slice(0, -1).map(async (name) => (await one.watcher.get(`/ef/of/sh/${name}`)).revision),
      );
      expect(new Set(revisions).size).toBeLessThan(others.length);
      // Two writes of one key are one after the other.
      const { version, revision } = await one.watcher.get('/ef/same');
      expect([version, revision]).toEqual([2, Math.max(...revisions.slice(-2))]);
      expect(revisions.at(-1)).not.toBe(revisions.at(-2));
      await expect(one.watcher.get('/ef/of/sh/taken')).rejects.toThrow(KeyNotFoundError);
      expect((await one.watcher.get('/ef/taken')).version).toBe(1);
    });
  });
}
