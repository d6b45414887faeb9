import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ownEtcd } from '../support/own-etcd.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import { cli, type CliResult } from './cli.js';

const APP = join(import.meta.dirname, 'shop-layers.module.ts');
const BASE = ['--layer', '/base/cache'];
const PROD = ['--layer', '/prod/cache'];

describe('a key that is none of its own layers', () => {
  const etcd = ownEtcd();
  let folder: TemporaryFolder;
  beforeEach(async () => {
    folder = await TemporaryFolder.create();
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  const run = (...args: string[]): Promise<CliResult> =>
    cli([...args, '--hosts', etcd.hosts.join(), '--app', APP], { directory: folder.path });
  const stored = (key: string): Promise<unknown> => etcd.direct.get(key).json();

  it('is written layer by layer, validated as a whole', async () => {
    expect(await run('set', '/shop/cache', '{"host":"a"}', ...BASE)).toEqual({
      exitCode: 0,
      out: [expect.stringMatching(/^layer "\/base\/cache" of "\/shop\/cache" was written at revision \d+$/)],
      notes: [],
    });
    expect((await run('set', '/shop/cache', '{"ttlSeconds":9}', ...PROD, '--if-absent')).exitCode).toBe(0);
    expect(await run('set', '/shop/cache', '{"ttlSeconds":0}', ...PROD)).toEqual({
      exitCode: 1,
      out: [],
      notes: ['error: the value for "/shop/cache" is invalid: ttlSeconds of layer "/prod/cache": min'],
    });
    expect((await run('set', '/shop/cache', '{"ttlSeconds":8}', ...PROD, '--if-absent')).exitCode).toBe(1);

    expect(await stored('/prod/cache')).toEqual({ ttlSeconds: 9 });
    expect(JSON.parse((await run('get', '/shop/cache')).out.join(''))).toEqual({ host: 'a', ttlSeconds: 9 });
  });

  it('gets an earlier document of a layer back', async () => {
    const first = await etcd.put('/base/cache', { host: 'a' });
    await etcd.put('/base/cache', { host: 'b' });

    expect((await run('rollback', '/shop/cache', `${first}`, ...BASE)).exitCode).toBe(0);
    expect(await stored('/base/cache')).toEqual({ host: 'a' });
  });

  it('names the layer that is at fault', async () => {
    await etcd.put('/base/cache', { host: 'a' });
    const revision = await etcd.put('/prod/cache', { ttlSeconds: 'CANARY' });

    expect((await run('get', '/shop/cache')).notes).toEqual([
      `"/shop/cache" is invalid at revision ${revision}:`,
      '  ttlSeconds of layer "/prod/cache": min, isInt',
    ]);
    expect((await run('check')).out).toContain('  ttlSeconds of layer "/prod/cache": min, isInt');
    expect((await run('history', '/shop/cache')).out).toContain('  ttlSeconds of layer "/prod/cache": min, isInt');
    await etcd.put('/prod/cache', 'no document');
    expect((await run('get', '/shop/cache')).notes[1]).toMatch(/^ {2}\(document\) of layer "\/prod\/cache": /);
  });

  const NONE = 'error: key "/shop/cache": choose the layer to write by --layer; it has "/base/cache", "/prod/cache"';
  const OWNER = 'error: no definition covers "/base/cache"; it is a layer of key "/shop/cache": use that key, and';
  it.each([
    [['set', '/shop/cache', '{}'], NONE],
    [['rollback', '/shop/cache', '7'], NONE],
    [['set', '/base/cache', '{}'], `${OWNER} --layer "/base/cache"`],
    [['rollback', '/base/cache', '7'], `${OWNER} --layer "/base/cache"`],
    [['get', '/base/cache'], 'covers "/base/cache"; it is a layer of key "/shop/cache": use that key'],
    [['history', '/base/cache'], 'covers "/base/cache"; it is a layer of key "/shop/cache": use that key'],
    [['set', '/shop/cache', '{}', '--layer', '/x'], '"/x" is not one of its layers; the layers are "/base/cache"'],
    [['set', '/shop/mail', '{}', ...BASE], 'the option "layer" requires a definition with "layers"'],
    [['set', '/shop/cache', '{}', '--raw', ...BASE], '--raw writes the key itself: give the key of the layer'],
  ])('leads %j to the layer', async (args, note) => {
    const { exitCode, notes } = await run(...args);
    expect([exitCode, notes]).toEqual([2, [expect.stringContaining(note)]]);
  });

  it('has no file', async () => {
    await etcd.put('/base/cache', { host: 'a' });
    await etcd.put('/shop/cache', { ignored: true });
    expect(await run('pull', '/shop/', '.')).toEqual({ exitCode: 0, out: [], notes: [] });

    writeFileSync(join(folder.path, 'cache.json'), '{"host":"b"}');
    for (const [prefix, reason] of [
      ['/shop/', '"/shop/cache" is none of its own layers; choose one, and write it by "set --layer"'],
      ['/base/', '"/base/cache" is a layer of key "/shop/cache"; write it by "set --layer"'],
    ] as const) {
      for (const command of ['diff', 'push']) {
        expect(await run(command, prefix, '.')).toMatchObject({
          exitCode: 2,
          out: [],
          notes: [`error: "cache.json": ${reason} instead of a file`],
        });
      }
    }
  });
});
