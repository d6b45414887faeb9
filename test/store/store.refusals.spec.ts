import { IsInt, Min } from 'class-validator';
import { type ConfigRefusal, EtcdTriggerInspector, InvalidOptionsError } from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it, vi } from 'vitest';
import { DefinitionFeed } from '../../lib/store/cache/definition-feed.js';
import { CollectingLogger } from '../support/collecting-logger.js';
import { eventually } from '../support/eventually.js';
import { startApp } from '../support/start-app.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

class Limit {
  @IsInt() @Min(1) count!: number;
}

const SECRET = 'hunter2';

async function start(initial: Record<string, object> = {}, logger = new CollectingLogger()) {
  const etcd = new FakeCluster(initial);
  const started = await startApp({
    hosts: '',
    client: etcd,
    logger,
    configs: [
      { prefix: '/limits/', type: Limit },
      { key: '/kept', type: Limit, onDelete: 'keep-last' },
      { key: '/other', type: Limit },
    ],
  });
  return { ...started, etcd, logger };
}

const line = (refusal: ConfigRefusal): string =>
  refusal.type === 'refused'
    ? `refused ${refusal.key} ${refusal.violations.map(({ path, constraints }) => `${path}:${constraints.join('+')}`).join()}`
    : `healed ${refusal.key} ${refusal.state}`;

describe('onRefused', () => {
  it('reports what is refused already, every refusal and its end, with revisions and without values', async () => {
    await using started = await start({ '/limits/a': { count: SECRET } });
    const { etcd, store } = started;
    const seen: ConfigRefusal[] = [];
    store.onRefused('/limits/', (refusal) => seen.push(refusal));
    await settled(etcd);
    const { revision: second } = etcd.put('/limits/b', { count: 0 });
    const { revision: third } = etcd.put('/limits/b', { count: SECRET });
    etcd.put('/other', { count: SECRET });
    await settled(etcd);
    const { revision: healed } = etcd.put('/limits/b', { count: 2 });
    const { revision: deleted } = etcd.delete('/limits/a');
    await settled(etcd);

    expect(seen.map(line)).toEqual([
      'refused /limits/a count:min+isInt',
      'refused /limits/b count:min',
      'refused /limits/b count:min+isInt',
      'healed /limits/b valid',
      'healed /limits/a absent',
    ]);
    expect(seen.slice(1).map(({ revision }) => revision)).toEqual([second, third, healed, deleted]);
    expect(seen[0]?.revision).toBeGreaterThan(0);
    expect(JSON.stringify(seen)).not.toContain(SECRET);
    expect(seen.every((refusal) => Object.isFrozen(refusal))).toBe(true);
  });

  it('reports a deletion that keeps the last good value', async () => {
    await using started = await start({ '/kept': { count: 1 } });
    const { etcd, store } = started;
    const seen: string[] = [];
    store.onRefused('', (refusal) => seen.push(line(refusal)));
    etcd.put('/kept', { count: 0 });
    await settled(etcd);
    etcd.delete('/kept');
    await settled(etcd);

    expect(seen).toEqual(['refused /kept count:min', 'healed /kept kept']);
    expect(store.get('/kept', Limit)).toEqual({ count: 1 });
  });

  it('reports the end of a refusal that was missed, from the list after an outage', async () => {
    await using started = await start({ '/limits/a': { count: 0 }, '/limits/b': { count: 0 } });
    const { etcd, store } = started;
    const seen: string[] = [];
    store.onRefused('/limits/', (refusal) => seen.push(line(refusal)));
    await settled(etcd);
    seen.length = 0;
    etcd.disconnect();
    etcd.put('/limits/a', { count: 1 });
    etcd.delete('/limits/b');
    etcd.compact();
    etcd.reconnect();
    await settled(etcd);

    expect(seen.sort()).toEqual(['healed /limits/a valid', 'healed /limits/b absent']);
  });

  it('shows the new state of the store to its listener', async () => {
    await using started = await start({ '/limits/a': { count: 5 } });
    const { etcd, store } = started;
    const states: string[] = [];
    store.onRefused('/limits/', ({ key }) => states.push(store.entry(key, Limit).state));
    etcd.put('/limits/a', { count: 0 });
    await settled(etcd);
    etcd.put('/limits/a', { count: 6 });
    await settled(etcd);

    expect(states).toEqual(['invalid', 'valid']);
  });

  it('logs what a listener throws or rejects with, and calls the others', async () => {
    await using started = await start();
    const { etcd, store, logger } = started;
    const seen: string[] = [];
    store.onRefused('/limits/', () => {
      throw new RangeError(SECRET);
    });
    store.onRefused('/limits/', () => Promise.reject(new TypeError(SECRET)));
    store.onRefused('/limits/', (refusal) => seen.push(line(refusal)));
    const closed = store.onRefused('/limits/', () => seen.push('closed'));
    closed.close();
    closed.close();
    etcd.put('/limits/a', { count: 0 });
    await settled(etcd);

    expect(seen).toEqual(['refused /limits/a count:min']);
    expect(logger.text).toContain('a listener of onRefused of "/limits/" failed for "/limits/a": RangeError');
    expect(logger.text).toContain('a listener of onRefused of "/limits/" failed for "/limits/a": TypeError');
    expect(logger.text).not.toContain(SECRET);
  });

  it('may close its own subscription in a call, and adds nothing after the application has closed', async () => {
    const started = await start({ '/limits/a': { count: 0 }, '/limits/b': { count: 0 } });
    const { store } = started;
    const seen: string[] = [];
    const subscription = store.onRefused('/limits/', ({ key }) => {
      seen.push(key);
      subscription.close();
    });
    await settled(started.etcd);
    await started.app.close();
    const late = store.onRefused('/limits/', ({ key }) => seen.push(`late ${key}`));
    await settled(started.etcd);
    late.close();

    // What is refused at the end can still be read.
    expect(seen).toEqual(['/limits/a', 'late /limits/a', 'late /limits/b']);
  });

  it('refuses invalid arguments', async () => {
    await using started = await start();
    const { store } = started;

    expect(() => store.onRefused(undefined as never, () => 1)).toThrow(InvalidOptionsError);
    expect(() => store.onRefused('/limits/', undefined as never)).toThrow(
      'the listener of onRefused of "/limits/" must be a function',
    );
  });
});

describe('status$', () => {
  it('emits the status now and each change once, and completes after closed', async () => {
    const started = await start();
    const { etcd, store, app } = started;
    const seen: string[] = [];
    store.status$.subscribe({ next: (status) => seen.push(status), complete: () => seen.push('complete') });
    etcd.disconnect();
    await eventually(() => store.status === 'stale');
    etcd.reconnect();
    await settled(etcd);
    etcd.put('/limits/a', { count: 1 });
    await settled(etcd);
    await app.close();

    expect(seen).toEqual(['ready', 'stale', 'ready', 'closed', 'complete']);
    store.status$.subscribe({ next: (status) => seen.push(status), complete: () => seen.push('complete') });
    expect(seen.slice(5)).toEqual(['closed', 'complete']);
  });

  it('emits when a degraded start is complete', async () => {
    const etcd = new FakeCluster();
    await using started = await startApp({
      hosts: '',
      client: etcd,
      boot: { policy: 'degraded' },
      configs: [{ key: '/needed', type: Limit, required: true }],
    });
    const seen: string[] = [];
    started.store.status$.subscribe((status) => seen.push(status));
    etcd.put('/needed', { count: 1 });
    await settled(etcd);

    expect(seen).toEqual(['degraded', 'ready']);
  });

  it('emits when etcd replaces the values of an offline snapshot', async () => {
    await using folder = await TemporaryFolder.create();
    const etcd = new FakeCluster({ '/limits/a': { count: 1 } });
    const options = {
      hosts: '',
      client: etcd,
      snapshot: { directory: folder.path },
      configs: [{ prefix: '/limits/', type: Limit }],
    };
    const first = await startApp(options);
    await first.app.close();
    etcd.disconnect();
    await using second = await startApp({ ...options, boot: { policy: 'fail-fast', timeoutMs: 300 } });
    const seen: string[] = [];
    second.store.status$.subscribe((status) => seen.push(status));
    etcd.reconnect();
    await eventually(() => second.store.status === 'ready');
    await settled(etcd);

    expect(seen).toEqual(['stale', 'ready']);
  });

  it('emits while the delivery of the library itself fails', async () => {
    await using started = await start();
    const { etcd, store, app } = started;
    const seen: string[] = [];
    store.status$.subscribe((status) => seen.push(status));
    const deliver = vi.spyOn(DefinitionFeed.prototype, 'deliver').mockImplementation(() => {
      throw new RangeError();
    });
    etcd.put('/other', { count: 1 });
    await eventually(() => store.status === 'stale');
    deliver.mockRestore();
    await eventually(() => store.status === 'ready');
    await settled(app);

    expect(seen).toEqual(['ready', 'stale', 'ready']);
    expect(app.get(EtcdTriggerInspector).describe().clusters[0]?.failing).toEqual([]);
  });

  it('logs what a subscriber throws', async () => {
    await using started = await start();
    started.store.status$.subscribe(() => {
      throw new RangeError(SECRET);
    });

    expect(started.logger.text).toContain('a subscriber of the status of the store failed: RangeError');
    expect(started.logger.text).not.toContain(SECRET);
  });
});
