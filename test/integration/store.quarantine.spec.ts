import { IsInt } from 'class-validator';
import type { DefinitionOptions, KeyDefinition } from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { CollectingLogger } from '../support/collecting-logger.js';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';

class Limit {
  @IsInt() count!: number;
}

describe('a rejected value', () => {
  const etcd = ownEtcd();
  const { put } = etcd;

  it('is reported once, across lost connections and lost history, until the next valid value', async () => {
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    await put('/limits/a', '{"count":1}');
    const log = new CollectingLogger();
    const configs = [{ prefix: '/limits/', type: Limit }];
    await using app = await startApp({ hosts: proxy.endpoint, configs, logger: log });
    const rejected = await put('/limits/a', '{"count":"SECRET"}');
    await app.store.waitForRevision(rejected);
    const entry = app.store.entry('/limits/a', Limit);
    expect(entry).toMatchObject({ value: { count: 1 }, state: 'invalid', rejectedRevision: rejected, source: 'etcd' });

    proxy.cut();
    await app.store.waitForRevision(await put('/limits/b', '{"count":2}'));
    proxy.refuse();
    proxy.cut();
    await eventually(() => app.store.status === 'stale');
    await put('/limits/b', '{"count":3}');
    await etcd.compact(await put('/limits/b', '{"count":4}'));
    await proxy.accept();
    await eventually(() => log.text.includes('listed again (compacted)'));
    await eventually(() => app.store.get('/limits/b', Limit)?.count === 4);
    expect(app.store.entry('/limits/a', Limit)).toEqual(entry);

    const again = await put('/limits/a', '{"count":"SECRET"}');
    await app.store.waitForRevision(again);
    await app.store.waitForRevision(await put('/limits/a', '{"count":5}'));

    expect(app.store.entry('/limits/a', Limit)).toMatchObject({ value: { count: 5 }, state: 'valid' });
    const errors = log.lines.filter(({ level }) => level === 'error').map(({ text }) => text);
    expect(errors).toEqual([
      expect.stringContaining(
        `"/limits/a" at revision ${rejected} is not valid: count [isInt]; the last good value stays`,
      ),
      expect.stringContaining(`"/limits/a" at revision ${again} is not valid`),
    ]);
    expect(log.lines.filter(({ text }) => text.includes('"/limits/a" is valid again')).length).toBe(1);
    expect(log.text).not.toContain('SECRET');
  });

  it.each<[string, Partial<KeyDefinition<Limit> & DefinitionOptions>, string, number | undefined]>([
    ['an optional definition', {}, 'absent', undefined],
    ['an optional one with keep-last', { onDelete: 'keep-last' }, 'kept', 1],
    ['a required one', { required: true }, 'kept', 1],
    ['a required one with remove', { required: true, onDelete: 'remove' }, 'absent', undefined],
    ['one with a default', { default: { count: 7 } }, 'absent', 7],
    ['one with a default and keep-last', { default: { count: 7 }, onDelete: 'keep-last' }, 'kept', 1],
  ])('that is deleted: the state of %s, %o, is then %s and its value %s', async (_, more, state, count) => {
    await put('/limit', '{"count":1}');
    await using app = await startApp({ hosts: etcd.hosts, configs: [{ key: '/limit', type: Limit, ...more }] });
    await app.store.waitForRevision(await put('/limit', '[]'));
    expect(app.store.entry('/limit', Limit)).toMatchObject({ state: 'invalid', value: { count: 1 } });

    await app.store.delete('/limit');

    expect(app.store.entry('/limit', Limit).state).toBe(state);
    expect(app.store.get('/limit', Limit)?.count).toBe(count);
    await app.store.put('/limit', { count: 9 });
    expect(app.store.entry('/limit', Limit)).toMatchObject({ state: 'valid', value: { count: 9 }, source: 'etcd' });
  });
});
