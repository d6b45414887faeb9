import { IsInt, IsString } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';

class User {
  @IsString() name!: string;
}
class Pass {
  @IsInt() version!: number;
}

describe('a transaction over two definitions, on real etcd', () => {
  const etcd = ownEtcd();

  it('is never seen half by a join or a pinned function, under traffic and across cut connections', async () => {
    await etcd.put('/c/user', '{"name":"0"}');
    await etcd.put('/c/pass', '{"version":0}');
    const proxy = await TcpProxy.start(etcd.first.clientPort);
    await using started = await startApp({
      hosts: proxy.endpoint,
      pinRequests: true,
      configs: [
        { key: '/c/user', type: User },
        { key: '/c/pass', type: Pass },
        { prefix: '/quiet/', type: Pass },
      ],
    });
    const { store } = started;
    const join = store.join({ user: ['/c/user', User], pass: ['/c/pass', Pass] });
    const seen = { value: new Set<string>(), onChange: new Set<string>(), changes$: new Set<string>() };
    const pinned = new Set<string>();
    const shown = (value = join.value): string => `${value.user?.name} ${value.pass?.version}`;
    join.onChange((value) => seen.onChange.add(shown(value)));
    join.changes$.subscribe((value) => seen.changes$.add(shown(value)));
    store.onChange('/c/', () => seen.value.add(shown()));

    // Each pinned function waits for a comparison with etcd, so a fast machine needs more writes.
    const isDone = (version: number): boolean => version >= 200 && pinned.size > 10;
    let last = 0;
    let isWriting = true;
    const readers = Array.from({ length: 3 }, async () => {
      while (isWriting) {
        await store.pinned(async () => {
          const name = store.get('/c/user', User)?.name;
          await new Promise((resolve) => setImmediate(resolve));
          pinned.add(`${name} ${store.get('/c/pass', Pass)?.version}`);
        });
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    for (let version = 1; !isDone(last); version += 1) {
      await etcd.direct
        .if('/never', 'Version', '==', 0)
        .then(
          etcd.direct.put('/c/user').value(`{"name":"${version}"}`),
          etcd.direct.put('/c/pass').value(`{"version":${version}}`),
        )
        .commit();
      last = version;
      if (version % 50 === 0) proxy.cut();
    }
    await eventually(() => shown() === `${last} ${last}` && pinned.has(`${last} ${last}`));
    isWriting = false;
    await Promise.all(readers);
    proxy.stop();

    const halves = [...seen.value, ...seen.onChange, ...seen.changes$, ...pinned].filter(
      (state) => new Set(state.split(' ')).size > 1,
    );
    expect(halves).toEqual([]);
    for (const states of [...Object.values(seen), pinned]) expect(states.size).toBeGreaterThan(10);
  });

  it('shows a change of one key, although the other one is quiet', async () => {
    await etcd.put('/c/user', '{"name":"a"}');
    await using started = await startApp({
      hosts: etcd.hosts,
      configs: [
        { key: '/c/user', type: User },
        { key: '/c/pass', type: Pass },
      ],
    });
    const join = started.store.join({ user: ['/c/user', User], pass: ['/c/pass', Pass] });
    expect(join.value).toEqual({ user: { name: 'a' }, pass: undefined });
    for (const name of ['b', 'c', 'd']) {
      await started.store.put('/c/user', { name });
      await eventually(() => join.value.user?.name === name);
    }
    await etcd.put('/c/pass', '{"version":1}');
    await eventually(() => join.value.pass?.version === 1);

    expect(join.value).toEqual({ user: { name: 'd' }, pass: { version: 1 } });
  });
});
