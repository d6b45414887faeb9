import { type INestApplication, Injectable } from '@nestjs/common';
import { IsString } from 'class-validator';
import { ClusterLocks, type DeliveryContext, FenceLostError, type WatchEvent, WatchKey } from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { type CoordinatedInstance, startCoordinated } from '../support/coordinated-app.js';
import { EtcdSnapshot, RESTORABLE, type RestoreKind } from '../support/etcd-snapshot.js';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

const KINDS: readonly RestoreKind[] = ['plain', 'bumped'];
const FETCH_LIMIT_MS = 600_000;

class Effect {
  @IsString() order!: string;
}

@Injectable()
class Orders {
  readonly calls: { readonly event: WatchEvent; readonly context: DeliveryContext }[] = [];

  @WatchKey('/orders/', { group: { name: 'billing', checkpoint: { everyEvents: 1 } } })
  async on(event: WatchEvent, context: DeliveryContext): Promise<void> {
    this.calls.push({ event, context });
    await context.commit((tx) => {
      tx.put('/effects/last', { order: event.key });
    });
  }

  get handled(): string[] {
    return this.calls.map(({ event }) => event.key);
  }
}

describe('an owner that etcd has forgotten by a restore', { timeout: FETCH_LIMIT_MS }, () => {
  const etcd = ownEtcd(RESTORABLE);

  const start = async (hosts: string | string[]) => {
    const started = await startApp({ hosts, coordination: { prefix: '/coordination', ttlSeconds: 5 } });
    return { ...started, locks: started.app.get(ClusterLocks) };
  };
  const snapshotIn = ({ path }: TemporaryFolder): Promise<EtcdSnapshot> =>
    EtcdSnapshot.save(etcd.first, `${path}/snapshot`);
  const cutAndThaw = (proxy: TcpProxy): void => {
    proxy.cut();
    proxy.thaw();
  };

  it.each(KINDS)('cannot write with its lock, even if the next owner has the same token: %s', async (kind) => {
    await using folder = await TemporaryFolder.create();
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    await etcd.put('/effects', 'before');
    const snapshot = await snapshotIn(folder);
    await using paused = await start(proxy.endpoint);
    await using other = await start(etcd.hosts);
    const { fence } = await paused.locks.acquire('one');
    proxy.freeze();

    await snapshot.restore(kind);
    const next = await eventually(() => other.locks.acquire('one'));
    if (kind === 'plain') expect(next.fence.token).toBe(fence.token);
    else expect(next.fence.token).toBeGreaterThan(fence.token);
    cutAndThaw(proxy);

    // The first attempts may meet a connection that ends.
    await eventually(() => expect(paused.watcher.put('/effects', 'late', { fence })).rejects.toThrow(FenceLostError));
    await other.watcher.put('/effects', 'next', { fence: next.fence });
    await eventually(() => fence.signal.aborted);
    expect([fence.held, await fence.verify(), next.fence.held]).toEqual([false, false, true]);
    const { value, version } = await other.watcher.get('/effects');
    expect([value.toString(), version]).toEqual(['next', 2]);
    await next.release();
  });

  it.each(KINDS)('gives up its term, its cron job and its service, and registers again: %s', async (kind) => {
    await using folder = await TemporaryFolder.create();
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    const snapshot = await snapshotIn(folder);
    await using paused = await startCoordinated(proxy.endpoint, 'paused');
    await eventually(() => paused.held.length === 2 && paused.ticks.length > 1);
    await using other = await startCoordinated(etcd.hosts, 'other');
    const registered = async () => {
      const keys = await etcd.direct.getAll().prefix('/coordination/v1/services/app/').keys();
      return keys.map((key) => key.slice(key.lastIndexOf('/') + 1)).sort();
    };
    expect(await registered()).toEqual(['other', 'paused']);
    proxy.freeze();
    const [term, lock] = paused.held;
    const [tick] = paused.ticks.slice(-1);
    const fences = [term, lock, tick?.fence].flatMap((fence) => fence ?? []);
    expect(fences).toHaveLength(3);

    await snapshot.restore(kind);
    await eventually(() => other.held.length === 2 && other.ticks.length > 1);
    expect(await registered()).toEqual(['other']);
    const ticks = paused.ticks.length;
    cutAndThaw(proxy);

    for (const fence of fences) {
      await eventually(() => expect(paused.watcher.put('/effects', 'x', { fence })).rejects.toThrow(FenceLostError));
      await eventually(() => fence.signal.aborted);
      expect([fence.held, await fence.verify()]).toEqual([false, false]);
    }
    await eventually(async () => (await registered()).length === 2);
    const count = other.ticks.length;
    await eventually(() => other.ticks.length > count);
    expect([paused.held, paused.ticks.length, other.held.length]).toEqual([[], ticks, 2]);
    expect(secondsOf(other)).toEqual(consecutive(secondsOf(other)));
  });

  it.each(KINDS)(
    'starts no tick when it is back, and the next owner starts those after the snapshot: %s',
    async (kind) => {
      await using folder = await TemporaryFolder.create();
      using proxy = await TcpProxy.start(etcd.first.clientPort);
      await using paused = await startCoordinated(proxy.endpoint, 'paused');
      await eventually(() => paused.ticks.length > 0);
      await using other = await startCoordinated(etcd.hosts, 'other');
      const snapshot = await snapshotIn(folder);
      const count = paused.ticks.length;
      // Ticks that the snapshot does not know.
      await eventually(() => paused.ticks.length > count + 2);
      proxy.freeze();

      await snapshot.restore(kind);
      // The owner of the snapshot keeps the job until its lease expires.
      await eventually(() => other.ticks.length > 0);
      const ticks = paused.ticks.length;
      cutAndThaw(proxy);
      await eventually(() => paused.ticks.at(-1)?.signal.aborted === true);
      const later = other.ticks.length;
      await eventually(() => other.ticks.length > later);

      // The last tick is that of the snapshot, or of a moment before: later ticks start again, and none is lost.
      const [first = 0] = secondsOf(other);
      expect(secondsOf(paused)).toContain(first);
      expect(secondsOf(other)).toEqual(consecutive(secondsOf(other)));
      expect(paused.ticks).toHaveLength(ticks);
    },
  );

  it.each(KINDS)(
    'cannot commit for a handler group, whose next owner begins at the restored cursor: %s',
    async (kind) => {
      await using folder = await TemporaryFolder.create();
      using proxy = await TcpProxy.start(etcd.first.clientPort);
      const options = {
        coordination: { prefix: '/coordination', ttlSeconds: 5 },
        configs: [{ prefix: '/effects/', type: Effect }],
      };
      const effect = async (): Promise<unknown> => etcd.direct.get('/effects/last').json();

      const app = (hosts: string | string[]) => startApp({ hosts, ...options }, { providers: [Orders] });
      const ordersOf = (started: { readonly app: INestApplication }): Orders => started.app.get(Orders);
      await etcd.put('/orders/1', '1');
      await using paused = await app(proxy.endpoint);
      await eventually(() => ordersOf(paused).handled.length === 1);
      await eventually(async () => {
        expect(await effect()).toEqual({ order: '/orders/1' });
      });
      const snapshot = await snapshotIn(folder);
      await etcd.put('/orders/2', '2');
      await eventually(async () => {
        expect(await effect()).toEqual({ order: '/orders/2' });
      });
      await using other = await app(etcd.hosts);
      proxy.freeze();

      await snapshot.restore(kind);
      await etcd.put('/orders/3', '3');
      await eventually(() => ordersOf(other).handled.includes('/orders/3'));
      cutAndThaw(proxy);
      const { fence } = ordersOf(paused).calls.at(-1)?.context ?? {};
      await eventually(() => fence?.signal.aborted === true);

      // The restored store has no second order, and its first one counts as handled.
      expect(ordersOf(other).handled).toEqual(['/orders/3']);
      await eventually(() => expect(paused.watcher.put('/effects', 'late', { fence })).rejects.toThrow(FenceLostError));
      expect(await effect()).toEqual({ order: '/orders/3' });
      expect(ordersOf(paused).handled).toEqual(['/orders/1', '/orders/2']);
    },
  );
});

const secondsOf = ({ ticks }: CoordinatedInstance): number[] =>
  ticks.map(({ scheduledAt }) => scheduledAt.getTime() / 1_000);

const consecutive = (seconds: readonly number[]): number[] => seconds.map((_, index) => (seconds[0] ?? 0) + index);
