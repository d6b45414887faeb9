import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ownEtcd } from '../support/own-etcd.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import { cli } from './cli.js';

const APP = join(import.meta.dirname, 'shop-layers.module.ts');
const PREFIX = ['--coordination', '/co'];

describe('with --json, commands that write', () => {
  const etcd = ownEtcd();
  let folder: TemporaryFolder;
  beforeEach(async () => {
    folder = await TemporaryFolder.create();
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  const printed = async (...args: string[]): Promise<unknown> => {
    const { out } = await cli([...args, '--json', '--hosts', etcd.hosts.join(), '--app', APP], {
      directory: folder.path,
    });
    expect(out.join('')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    return JSON.parse(out.join(''));
  };

  it('print the key and revision of a value', async () => {
    const key = '/shop/flags/\u202ea';
    const first = await etcd.put(key, { enabled: true });

    expect(await printed('set', key, '{"enabled":false}')).toEqual({ key, revision: first + 1 });
    expect(await printed('set', key, 'raw', '--raw')).toEqual({ key, revision: first + 2 });
    expect(await printed('rollback', key, `${first}`)).toEqual({ key, revision: first + 3 });
    expect(await printed('set', '/shop/cache', '{"host":"a"}', '--layer', '/base/cache')).toEqual({
      key: '/shop/cache',
      layer: '/base/cache',
      revision: first + 4,
    });
  });

  it('print what was written to files, and what was left out', async () => {
    await etcd.putTogether({ '/shop/flags/a': { enabled: true }, '/shop/flags/b//': { enabled: true } });
    await etcd.put(Buffer.from('/shop/flags/\xff', 'latin1'), { enabled: true });

    expect(await printed('pull', '/shop/flags/', '.')).toEqual({
      written: [{ key: '/shop/flags/a', file: 'a.json' }],
      leftOut: [
        { key: String.raw`/shop/flags/\xff`, reason: 'it is not UTF-8, so it has no name' },
        { key: '/shop/flags/b//', reason: 'the key "/shop/flags/b//" has an empty part, so it has no file name' },
      ],
    });
  });

  it('print what was written to etcd', async () => {
    mkdirSync(join(folder.path, 'flags'));
    writeFileSync(join(folder.path, 'flags/a.json'), '{"enabled":true}');
    const revision = await etcd.put('/shop/flags/b', { enabled: true });

    expect(await printed('push', '/shop/flags/', 'flags', '--apply', '--prune')).toEqual({
      written: [
        { type: 'add', key: '/shop/flags/a', revision: revision + 1 },
        { type: 'delete', key: '/shop/flags/b', revision: revision + 1 },
      ],
    });
    writeFileSync(join(folder.path, 'flags/a.json'), '{"enabled":7}');
    expect(await printed('push', '/shop/flags/', 'flags', '--apply')).toEqual({ written: [] });
  });

  it('print what was changed of a group', async () => {
    const group = 'orders';
    await etcd.put('/co/v1/groups/orders/config', { v: 1, target: 't', partitions: 1 });

    expect(await printed('groups', 'redrive', group, ...PREFIX)).toEqual({ group, redriven: 0 });
    expect(await printed('groups', 'reset', group, '--from', 'now', ...PREFIX)).toEqual({ group, from: 'now' });
    expect(await printed('groups', 'repartition', group, '3', ...PREFIX)).toEqual({ group, partitions: 3 });
  });
});
