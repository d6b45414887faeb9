import { IsInt } from 'class-validator';
import { InvalidOptionsError } from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { CollectingLogger } from '../support/collecting-logger.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';

class Limit {
  @IsInt() count!: number;
}

const keyOf = (...bytes: number[]): Buffer => Buffer.from([...Buffer.from('/names/'), ...bytes]);

describe('keys of a prefix whose bytes are not UTF-8', () => {
  const etcd = ownEtcd();
  const { put } = etcd;

  it('are left out with one warning and never hide a key with a name', async () => {
    await put('/names/\uFFFD', '{"count":1}');
    await put('/names/é', '{"count":2}');
    await put(keyOf(0xff), '{"count":10}');
    await put(keyOf(0xfe), '{"count":11}');
    await put(keyOf(0xc0, 0x80), '{"count":12}');
    await put(keyOf(0xed, 0xa0, 0x80), '{"count":13}');
    const logger = new CollectingLogger();
    await using app = await startApp({ hosts: etcd.hosts, configs: [{ prefix: '/names/', type: Limit }], logger });
    const named = { '/names/é': { count: 2 }, '/names/\uFFFD': { count: 1 } };

    expect(Object.fromEntries(app.store.entries('/names/', Limit))).toEqual(named);

    await app.store.waitForRevision(await put(keyOf(0xff), '{"count":20}'));
    await app.store.waitForRevision(await put(keyOf(0xf0, 0x1b), '[]'));
    await etcd.direct.delete().key(keyOf(0xff));

    await app.store.waitForRevision(await put('/names/last', '{"count":3}'));
    expect(Object.fromEntries(app.store.entries('/names/', Limit))).toEqual({ ...named, '/names/last': { count: 3 } });
    expect(logger.lines.filter(({ level }) => level !== 'log').map(({ text }) => text)).toEqual([
      expect.stringContaining('prefix "/names/": "/names/\\xc0\\x80" is not UTF-8'),
    ]);
  });

  it('cannot be written as a string with a lone surrogate, which would become another key', async () => {
    await put('/names/\uFFFD', '{"count":1}');
    await using app = await startApp({ hosts: etcd.hosts, configs: [{ prefix: '/names/', type: Limit }] });

    await expect(app.store.put('/names/\uD800', { count: 2 })).rejects.toThrow(InvalidOptionsError);
    await expect(app.store.delete('/names/\uDFFF')).rejects.toThrow('lone surrogate');

    expect(app.store.get('/names/\uFFFD', Limit)).toEqual({ count: 1 });
    await expect(startApp({ hosts: etcd.hosts, configs: [{ prefix: '/names/\uD800', type: Limit }] })).rejects.toThrow(
      InvalidOptionsError,
    );
  });
});
