import { IsInt, IsString, Min } from 'class-validator';
import {
  type ConfigDefinition,
  ConfigNotFoundError,
  type EtcdTriggerOptions,
  InvalidOptionsError,
  type StoreService,
} from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { CollectingLogger } from '../support/collecting-logger.js';
import { eventually } from '../support/eventually.js';
import { startApp } from '../support/start-app.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

class User {
  @IsString() name!: string;
}
class Pass {
  @IsInt() @Min(0) version!: number;
}

const PARTS = { user: ['/c/user', User], pass: ['/c/pass', Pass] } as const;
const CONFIGS: ConfigDefinition[] = [
  { key: '/c/user', type: User },
  { key: '/c/pass', type: Pass },
];

const start = async (
  etcd: FakeCluster,
  options: Partial<Omit<EtcdTriggerOptions, 'client'>> = {},
): ReturnType<typeof startApp> => startApp({ hosts: '', client: etcd, configs: CONFIGS, ...options });

const clusterOf = (version: number): FakeCluster =>
  new FakeCluster({ '/c/user': { name: String(version) }, '/c/pass': { version } });

/** Writes both keys in one revision. */
const putBoth = (etcd: FakeCluster, version: number): void => {
  etcd.transaction((tx) => {
    tx.put('/c/user', { name: String(version) });
    tx.put('/c/pass', { version });
  });
};

const shown = ({ user, pass }: { readonly user?: User | undefined; readonly pass?: Pass | undefined }): string =>
  `${user?.name ?? '-'} ${pass?.version ?? '-'}`;

/** Records everything that a join shows, by each of its doors. */
function recorded(store: StoreService): { readonly join: { readonly value: object }; readonly seen: Set<string> } {
  const join = store.join(PARTS);
  const seen = new Set<string>([shown(join.value)]);
  join.onChange((value) => seen.add(shown(value)));
  join.changes$.subscribe((value) => seen.add(shown(value)));
  store.onChange('/c/', () => seen.add(shown(join.value)));
  return { join, seen };
}

describe('a join', () => {
  it('is complete in a constructor, frozen, and the same object until it changes', async () => {
    const etcd = clusterOf(1);
    await using started = await start(etcd);
    const join = started.store.join(PARTS);
    const { value } = join;

    expect([shown(value), Object.isFrozen(value), join.value === value]).toEqual(['1 1', true, true]);
    expect(started.store.join({ ...PARTS })).toBe(join);
    putBoth(etcd, 2);
    await eventually(() => join.value !== value);
    expect(join.value.user).toBe(started.store.get('/c/user', User));
  });

  it('never shows half of a transaction over two definitions', async () => {
    const etcd = clusterOf(0);
    await using started = await start(etcd);
    const { join, seen } = recorded(started.store);
    const halves = new Set<string>();
    started.store.onChange('/c/', () =>
      halves.add(
        `${started.store.get('/c/user', User)?.name ?? ''} ${started.store.get('/c/pass', Pass)?.version ?? ''}`,
      ),
    );
    for (let version = 1; version <= 50; version += 1) {
      putBoth(etcd, version);
      if (version % 5 === 0) await settled(etcd);
    }
    await eventually(() => shown(join.value) === '50 50');

    expect([...seen].filter((state) => new Set(state.split(' ')).size > 1)).toEqual([]);
    // Without the join, listeners see halves.
    expect([...halves].some((state) => new Set(state.split(' ')).size > 1)).toBe(true);
  });

  it('never shows half of a transaction over a definition with layers and another one', async () => {
    const etcd = new FakeCluster({ '/base/user': { name: '0' }, '/c/pass': { version: 0 } });
    const layered: ConfigDefinition = { key: '/c/user', type: User, layers: ['/base/user', '/prod/user'] };
    await using started = await start(etcd, { configs: [layered, { key: '/c/pass', type: Pass }] });
    const { join, seen } = recorded(started.store);
    for (let version = 1; version <= 200; version += 1) {
      etcd.transaction((tx) => {
        tx.put(version % 2 === 0 ? '/base/user' : '/prod/user', { name: String(version) });
        if (version % 2 === 0) tx.delete('/prod/user');
        tx.put('/c/pass', { version });
      });
      // The layers are read again while further changes arrive.
      for (let turns = version % 4; turns > 0; turns -= 1) await new Promise(setImmediate);
      seen.add(shown(join.value));
    }
    await eventually(() => shown(join.value) === '200 200');

    expect([...seen].filter((state) => new Set(state.split(' ')).size > 1)).toEqual([]);
  });

  it('shows the change of one key when the other is known to be as new', async () => {
    const etcd = clusterOf(1);
    await using started = await start(etcd);
    const { join, seen } = recorded(started.store);
    etcd.put('/c/user', { name: '2' });
    await settled(etcd);

    expect([shown(join.value), [...seen]]).toEqual(['2 1', ['1 1', '2 1']]);
  });

  it('has undefined for a key that is absent, or was deleted, and for one of a prefix', async () => {
    const etcd = new FakeCluster({ '/c/user': { name: '1' }, '/all/a': { version: 1 } });
    await using started = await start(etcd, { configs: [...CONFIGS, { prefix: '/all/', type: Pass }] });
    const join = started.store.join({ ...PARTS, other: ['/all/a', Pass] });
    await settled(etcd);
    expect(join.value).toEqual({ user: { name: '1' }, pass: undefined, other: { version: 1 } });
    etcd.transaction((tx) => {
      tx.delete('/c/user');
      tx.put('/all/a', { version: 2 });
    });
    await settled(etcd);

    expect(join.value).toEqual({ user: undefined, pass: undefined, other: { version: 2 } });
  });

  it('keeps its last state while a part is invalid, and shows the next one that is valid as a whole', async () => {
    const etcd = clusterOf(1);
    await using started = await start(etcd);
    const { join, seen } = recorded(started.store);
    etcd.transaction((tx) => {
      tx.put('/c/user', { name: '2' });
      tx.put('/c/pass', { version: -1 });
    });
    await settled(etcd);
    expect([shown(join.value), started.store.get('/c/user', User)?.name]).toEqual(['1 1', '2']);
    etcd.put('/c/pass', { version: 2 });
    await settled(etcd);

    expect([...seen]).toEqual(['1 1', '2 2']);
  });

  it('shows a valid change before a part becomes invalid', async () => {
    const etcd = clusterOf(1);
    await using started = await start(etcd);
    const { join } = recorded(started.store);
    etcd.put('/c/user', { name: '2' });
    etcd.put('/c/pass', { version: -1 });
    await settled(etcd);

    expect(shown(join.value)).toBe('2 1');
  });

  it('shows a kept part as its definition says', async () => {
    const etcd = clusterOf(1);
    const configs = [
      { key: '/c/user', type: User },
      { key: '/c/pass', type: Pass, onDelete: 'keep-last' as const },
    ];
    await using started = await start(etcd, { configs });
    const { join } = recorded(started.store);
    etcd.transaction((tx) => {
      tx.put('/c/user', { name: '2' });
      tx.delete('/c/pass');
    });
    await settled(etcd);

    expect(shown(join.value)).toBe('2 1');
  });

  it('shows no half after an outage with a compaction', async () => {
    const etcd = clusterOf(1);
    await using started = await start(etcd);
    const { join, seen } = recorded(started.store);
    etcd.disconnect();
    for (const version of [2, 3]) putBoth(etcd, version);
    etcd.compact();
    etcd.reconnect();
    await settled(etcd);
    await eventually(() => shown(join.value) === '3 3');

    expect([...seen]).toEqual(['1 1', '3 3']);
  });

  it('shows no half when the store is restored or replaced', async () => {
    const etcd = clusterOf(1);
    await using started = await start(etcd);
    const { join, seen } = recorded(started.store);
    const backup = etcd.snapshot();
    for (const version of [2, 3, 4, 5]) putBoth(etcd, version);
    await settled(etcd);
    etcd.restore(backup);
    await settled(etcd);
    await eventually(() => shown(join.value) === '1 1');
    putBoth(etcd, 7);
    await settled(etcd);
    await eventually(() => shown(join.value) === '7 7');
    etcd.put('/c/user', { name: '8' });
    await settled(etcd);

    expect([...seen].filter((state) => new Set(state.split(' ')).size > 1)).toEqual(['8 7']);
  });

  it('begins with the values of an offline snapshot', async () => {
    await using folder = await TemporaryFolder.create();
    const etcd = clusterOf(1);
    const snapshot = { directory: folder.path };
    const first = await start(etcd, { snapshot });
    await first.app.close();
    etcd.disconnect();
    await using second = await start(etcd, { snapshot, boot: { timeoutMs: 300 } });
    const { join, seen } = recorded(second.store);
    putBoth(etcd, 2);
    etcd.reconnect();
    await settled(etcd);
    await eventually(() => shown(join.value) === '2 2');

    expect([...seen]).toEqual(['1 1', '2 2']);
  });

  it('is isolated from its listeners, completes at the end, and cannot be written', async () => {
    const etcd = clusterOf(1);
    const logger = new CollectingLogger();
    const started = await start(etcd, { logger });
    const join = started.store.join(PARTS);
    const seen: string[] = [];
    join.onChange(() => {
      throw new RangeError('hunter2');
    });
    join.changes$.subscribe({ next: (value) => seen.push(shown(value)), complete: () => seen.push('complete') });
    putBoth(etcd, 2);
    await settled(etcd);
    await started.app.close();

    expect(seen).toEqual(['1 1', '2 2', 'complete']);
    expect(logger.text).toContain('a listener of the join of "/c/user", "/c/pass" failed: RangeError');
    expect(logger.text).not.toContain('hunter2');
    await expect(join.put(undefined as never)).rejects.toThrow(
      'put: the join of "/c/user", "/c/pass" cannot be written; use StoreService.transaction',
    );
    await expect(join.update(undefined as never)).rejects.toThrow(InvalidOptionsError);
  });

  it('refuses invalid parts', async () => {
    await using started = await start(clusterOf(1));
    const { store } = started;

    for (const parts of [undefined, {}, { user: '/c/user' }, { user: [User] }, { user: ['/c/user', User, 1] }]) {
      expect(() => store.join(parts as never)).toThrow('join needs an object of parts, such as');
    }
    expect(() => store.join({ user: ['/c/user', Pass] })).toThrow(InvalidOptionsError);
    expect(() => store.join({ user: ['/other', User] })).toThrow('no definition covers it');
  });

  it('is known later, if it is created while etcd does not answer and its parts have no common revision', async () => {
    const etcd = new FakeCluster({ '/c/user': { name: '1' } });
    await using started = await start(etcd);
    etcd.put('/c/user', { name: '2' });
    await eventually(() => started.store.get('/c/user', User)?.name === '2');
    etcd.disconnect();
    const join = started.store.join(PARTS);
    const seen: string[] = [];
    join.onChange((value) => seen.push(shown(value)));
    expect(() => join.value).toThrow(ConfigNotFoundError);
    etcd.reconnect();
    await eventually(() => seen.length === 1);

    expect([seen, shown(join.value)]).toEqual([['2 -'], '2 -']);
  });
});
