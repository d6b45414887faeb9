import { setTimeout as sleep } from 'node:timers/promises';
import { Controller, Get, Injectable, NotFoundException, Param } from '@nestjs/common';
import { IsInt, IsString } from 'class-validator';
import {
  type ConfigDefinition,
  type ConfigRef,
  type EtcdTriggerOptions,
  InjectConfig,
  StoreService,
  WatchKey,
} from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { startApp } from '../support/start-app.js';

class User {
  @IsString() name!: string;
}
class Pass {
  @IsInt() version!: number;
}

const CONFIGS: ConfigDefinition[] = [
  { key: '/c/user', type: User },
  { prefix: '/c/passes/', type: Pass },
];

const clusterOf = (version: number): FakeCluster =>
  new FakeCluster({ '/c/user': { name: String(version) }, '/c/passes/a': { version } });

/** Writes both definitions in one revision. */
const putBoth = (etcd: FakeCluster, version: number): void => {
  etcd.transaction((tx) => {
    tx.put('/c/user', { name: String(version) });
    tx.put('/c/passes/a', { version });
    if (version === 2) tx.put('/c/passes/b', { version });
  });
};

const start = (etcd: FakeCluster, options: Partial<EtcdTriggerOptions> = {}, metadata = {}) =>
  startApp({ hosts: '', configs: CONFIGS, ...options, client: etcd }, metadata);

@Injectable()
class References {
  constructor(
    @InjectConfig(User) readonly user: ConfigRef<User>,
    @InjectConfig(Pass, { under: '/c/passes/' }) readonly passes: ConfigRef<ReadonlyMap<string, Pass>>,
    @InjectConfig(Pass, { under: '/c/passes/', key: 'a' }) readonly pass: ConfigRef<Pass>,
  ) {}
}

describe('StoreService.pinned', () => {
  it('shows one state by every read until the function has ended, and then the newest', async () => {
    const etcd = clusterOf(1);
    await using started = await start(etcd, {}, { providers: [References] });
    const { store, app } = started;
    const { user, passes, pass } = app.get(References);
    const selected = store.select('/c/user', User, (value) => value?.name);
    const join = store.join({ user: ['/c/user', User], pass: ['/c/passes/a', Pass] });
    const read = () => [
      store.get('/c/user', User)?.name,
      store.getOrThrow('/c/passes/a', Pass).version,
      store.get('/c/passes/b', Pass)?.version,
      [...store.entries('/c/passes/', Pass).keys()],
      store.keys('/c/'),
      store.snapshot().keys(),
      store.snapshot().get('/c/user', User)?.name,
      user.value.name,
      [...passes.value].map(([key, { version }]) => `${key} ${version}`),
      pass.value.version,
      selected.value,
      join.value,
    ];
    const before = read();
    const states = await store.pinned(async () => {
      const first = read();
      putBoth(etcd, 2);
      etcd.put('/c/user', { name: '3' });
      await settled(etcd);
      return [first, read(), [user.value === user.value, passes.value === passes.value]];
    });

    expect(states).toEqual([before, before, [true, true]]);
    await eventually(() => join.value.user?.name === '3');
    expect(read()).toEqual([
      '3',
      2,
      2,
      ['/c/passes/a', '/c/passes/b'],
      ['/c/passes/a', '/c/passes/b', '/c/user'],
      ['/c/passes/a', '/c/passes/b', '/c/user'],
      '3',
      '3',
      ['a 2', 'b 2'],
      2,
      '3',
      { user: { name: '3' }, pass: { version: 2 } },
    ]);
  });

  it('never shows half of a transaction, under traffic', async () => {
    const etcd = clusterOf(0);
    await using started = await start(etcd, { pinRequests: true });
    const { store } = started;
    let isWriting = true;
    const seen = new Set<string>();
    const readers = Array.from({ length: 4 }, async () => {
      while (isWriting) {
        await store.pinned(async () => {
          const name = store.get('/c/user', User)?.name;
          await sleep(1);
          const view = store.snapshot();
          seen.add(`${name} ${store.get('/c/passes/a', Pass)?.version} ${view.get('/c/user', User)?.name}`);
        });
      }
    });
    for (let version = 1; version <= 60; version += 1) {
      putBoth(etcd, version);
      await sleep(1);
    }
    await eventually(() => seen.has('60 60 60'));
    isWriting = false;
    await Promise.all(readers);

    expect([...seen].filter((state) => new Set(state.split(' ')).size > 1)).toEqual([]);
    expect(seen.size).toBeGreaterThan(3);
  });

  it('keeps the states of concurrent functions apart, and that of the outer one in a nested one', async () => {
    const etcd = clusterOf(1);
    await using started = await start(etcd);
    const { store } = started;
    const name = () => store.get('/c/user', User)?.name;
    let end = (): void => undefined;
    const old = store.pinned(async () => {
      await new Promise<void>((resolve) => (end = resolve));
      return [name(), await store.pinned(() => name())];
    });
    await settled(etcd);
    putBoth(etcd, 2);
    await settled(etcd);
    const current = await store.pinned(() => name());
    end();

    expect([await old, current]).toEqual([['1', '1'], '2']);
  });

  it('lets writes, fresh(), entry() and listeners see the newest values', async () => {
    const etcd = clusterOf(1);
    await using started = await start(etcd, {}, { providers: [References] });
    const { store, app } = started;
    const { user } = app.get(References);
    const seen: string[] = [];
    const results = await store.pinned(async () => {
      const first = user.value.name;
      etcd.put('/c/user', { name: '2' });
      await settled(etcd);
      user.onChange(({ name }) => seen.push(`onChange ${name}`));
      user.changes$.subscribe(({ name }) => seen.push(`changes$ ${name}`));
      store.onChange('/c/user', ({ value }) => seen.push(`store ${(value as User).name}`));
      await store.update('/c/user', User, (current) => ({ name: `${current?.name ?? ''}+` }));
      const fresh = await store.fresh('/c/user', User);
      return [first, user.value.name, fresh?.name, store.entry('/c/user', User).value?.name];
    });

    expect(results).toEqual(['1', '1', '2+', '2+']);
    expect(seen.sort()).toEqual(['changes$ 2', 'changes$ 2+', 'onChange 2', 'onChange 2+', 'store 2', 'store 2+']);
  });

  it('ends with the function: what it has left running reads the newest values', async () => {
    const etcd = clusterOf(1);
    await using started = await start(etcd);
    const { store } = started;
    let later: Promise<string | undefined> | undefined;
    await store.pinned(() => {
      later = eventually(() => store.get('/c/user', User)?.name === '2').then(() => 'newest');
    });
    putBoth(etcd, 2);

    expect(await later).toBe('newest');
  });

  it('returns the result of the function, and passes on its errors', async () => {
    await using started = await start(clusterOf(1));
    const { store } = started;

    expect(await store.pinned(() => 7)).toBe(7);
    await expect(
      store.pinned(() => {
        throw new RangeError('no');
      }),
    ).rejects.toThrow(RangeError);
    await expect(store.pinned(() => Promise.reject(new TypeError('no')))).rejects.toThrow(TypeError);
  });

  it('works while etcd does not answer', async () => {
    const etcd = clusterOf(1);
    await using started = await start(etcd);
    const { store } = started;
    etcd.put('/c/user', { name: '2' });
    await eventually(() => store.get('/c/user', User)?.name === '2');
    etcd.disconnect();

    expect(await store.pinned(() => store.get('/c/user', User)?.name)).toBe('2');
    etcd.reconnect();
  });
});

describe('pinRequests', () => {
  const reads: string[] = [];
  let pause: () => Promise<void> = () => Promise.resolve();

  @Controller('users')
  class Users {
    constructor(private readonly store: StoreService) {}

    @Get(':id')
    async read(@Param('id') id: string): Promise<string> {
      const first = this.store.get('/c/user', User)?.name;
      await pause();
      if (id === 'none') throw new NotFoundException();
      return `${first} ${this.store.get('/c/user', User)?.name} ${this.store.get('/c/passes/a', Pass)?.version}`;
    }
  }

  @Injectable()
  class Handlers {
    constructor(private readonly store: StoreService) {}

    @WatchKey('/orders/')
    async onOrder(): Promise<void> {
      const first = this.store.get('/c/user', User)?.name;
      await pause();
      reads.push(`${first} ${this.store.get('/c/user', User)?.name}`);
    }
  }

  it.each([
    [true, '1 1 1', '1 1'],
    [undefined, '1 2 2', '1 2'],
  ])('set to %s pins requests and handlers accordingly', async (pinRequests, response, handled) => {
    const etcd = clusterOf(1);
    const metadata = { controllers: [Users], providers: [Handlers] };
    await using started = await start(etcd, { pinRequests }, metadata);
    await started.app.listen(0, '127.0.0.1');
    const base = await started.app.getUrl();
    const get = (id: string) => fetch(`${base}/users/${id}`);
    await settled(etcd);
    reads.length = 0;
    const write = async (): Promise<void> => {
      putBoth(etcd, 2);
      await eventually(() => started.store.entry('/c/user', User).value?.name === '2');
    };
    pause = write;
    expect(await (await get('1')).text()).toBe(response);

    pause = () => Promise.resolve();
    await eventually(async () => (await (await get('1')).text()) === '2 2 2');
    expect((await get('none')).status).toBe(404);
    putBoth(etcd, 1);
    await eventually(async () => (await (await get('1')).text()) === '1 1 1');
    pause = write;
    etcd.put('/orders/1', 'x');
    await eventually(() => reads.length === 1);
    expect(reads).toEqual([handled]);
  });

  it('must be a boolean', async () => {
    await expect(start(clusterOf(1), { pinRequests: 'yes' as never })).rejects.toThrow(
      '"pinRequests" must be true or false',
    );
  });
});
