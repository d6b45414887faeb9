import { describe, expect, it } from 'vitest';
import { KeyRange } from '../../../lib/backend/key-range.js';
import { InstanceLog } from '../../../lib/etcd-trigger.log.js';
import { FakeCluster } from '../../../lib/testing/fake/fake-cluster.js';
import type { ClusterObserver } from '../../../lib/watch/sharing/cluster-observer.js';
import type { RangeListener } from '../../../lib/watch/sharing/range-listener.js';
import { SharedRanges } from '../../../lib/watch/sharing/shared-ranges.js';
import type { ChangeBatch } from '../../../lib/watch/stream/change-event.js';
import { CollectingLogger } from '../../support/collecting-logger.js';
import { eventually } from '../../support/eventually.js';
import { openBackend } from '../../testing/contract/open-backend.js';

const LIST = { what: 'list', timeoutMs: 5_000, isFinal: () => true };

/** Remembers what it has received. Throws for the given number of deliveries of the keys that the test chooses. */
class FragileListener implements RangeListener {
  readonly received: string[] = [];
  throws = 0;
  failsAt = '';

  canAccept(): boolean {
    return true;
  }

  deliver({ events, origin }: ChangeBatch): void {
    const keys = events.map(({ key, type }) => `${origin} ${type} ${key}`);
    if (this.throws > 0 && keys.some((key) => key.endsWith(this.failsAt))) {
      this.throws -= 1;
      throw new TypeError('a value that must not be logged');
    }
    this.received.push(...keys);
  }
}

function start(initial: Readonly<Record<string, string>> = {}, observer: Partial<ClusterObserver> = {}) {
  const etcd = new FakeCluster(initial);
  const logger = new CollectingLogger();
  const counted: string[] = [];
  const ranges = new SharedRanges(
    openBackend(etcd).listWatcher,
    new InstanceLog(logger, { serviceName: 's', podName: 'p' }),
    {
      changed: () => undefined,
      interrupted: () => undefined,
      resynced: () => undefined,
      deliveryFailed: (subject: string) => counted.push(subject),
      ...observer,
    } as unknown as ClusterObserver,
  );
  const shared = ranges.acquire(KeyRange.of('/'), { paused: false });
  return { etcd, logger, counted, ranges, shared };
}

describe('a listener that throws unexpectedly', () => {
  it('receives the revision again, and then every later one; others are not affected', async () => {
    const { etcd, logger, counted, ranges, shared } = start();
    const [fragile, other] = [new FragileListener(), new FragileListener()];
    Object.assign(fragile, { throws: Infinity, failsAt: '/b' });
    for (const listener of [fragile, other]) await shared.register(listener, { initial: true }).whenListed(LIST);
    await eventually(() => shared.state === 'following');

    for (const key of ['/a', '/b', '/c']) etcd.put(key, 'x');
    await eventually(() => other.received.length === 3);
    await eventually(() => counted.length > 2);
    expect(shared.failing).toBe(1);
    fragile.throws = 0;
    await eventually(() => fragile.received.length === 3);

    expect(fragile.received).toEqual(['live put /a', 'live put /b', 'live put /c']);
    expect(other.received).toEqual(fragile.received);
    await eventually(() => shared.failing === 0);
    expect(new Set(counted)).toEqual(new Set(['prefix "/"']));
    expect(logger.lines.map(({ level }) => level)).toEqual(['error', 'log']);
    expect(logger.lines[0]?.text).toMatch(/^prefix "\/": delivery failed .*: TypeError at .*delivery-failures\.spec/);
    expect(logger.text).not.toContain('must not be logged');
    ranges.close();
  });

  it('receives the initial list again', async () => {
    const { etcd, ranges, shared } = start({ '/a': '1' });
    const fragile = Object.assign(new FragileListener(), { throws: 2, failsAt: '/a' });
    shared.register(fragile, { initial: true });

    await eventually(() => fragile.received.length === 1);
    etcd.put('/b', '2');
    await eventually(() => fragile.received.length === 2);

    expect(fragile.received).toEqual(['initial put /a', 'live put /b']);
    expect(shared.failing).toBe(0);
    ranges.close();
  });

  it('may throw anywhere', async () => {
    const { etcd, ranges, shared, counted } = start({ '/a': '1' });
    const fragile = new FragileListener();
    const fails = (): never => {
      throw new RangeError();
    };
    shared.register(Object.assign(fragile, { onPage: fails, following: fails, interrupted: fails }), { initial: true });
    await eventually(() => shared.state === 'following');

    etcd.disconnect();
    await eventually(() => shared.state === 'interrupted');
    etcd.reconnect();
    etcd.put('/b', '2');
    await eventually(() => fragile.received.length === 2);

    expect(fragile.received).toEqual(['initial put /a', 'live put /b']);
    expect(counted.length).toBeGreaterThan(2);
    ranges.close();
  });
});

describe('metrics that throw', () => {
  it('do not affect the delivery', async () => {
    const { etcd, ranges, shared, logger } = start(
      {},
      {
        changed: () => {
          throw new RangeError();
        },
      },
    );
    const listener = new FragileListener();
    await shared.register(listener, { initial: true }).whenListed(LIST);

    etcd.put('/a', '1');
    etcd.put('/b', '2');
    await eventually(() => listener.received.length === 2);

    expect(logger.lines.map(({ level }) => level)).toEqual(['error']);
    ranges.close();
  });
});
