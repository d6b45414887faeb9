import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import { cli, type CliResult } from './cli.js';

const APP = ['--app', join(import.meta.dirname, 'shop.module.ts')];
const FIRST = Buffer.from('/shop/flags/\xff\xfe', 'latin1');
const SECOND = Buffer.from('/shop/flags/\xff\xfd', 'latin1');
const LEFT_OUT = [
  String.raw`left out "/shop/flags/\xff\xfd": it is not UTF-8, so it has no name`,
  String.raw`left out "/shop/flags/\xff\xfe": it is not UTF-8, so it has no name`,
];

describe('keys that are not UTF-8', () => {
  const etcd = ownEtcd();
  let folder: TemporaryFolder;
  beforeEach(async () => {
    folder = await TemporaryFolder.create();
    await etcd.put(FIRST, { enabled: true });
    await etcd.put(SECOND, { enabled: 'no' });
    await etcd.put('/shop/flags/a', { enabled: true });
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  const run = (...args: string[]): Promise<CliResult> =>
    cli([...args, '--hosts', etcd.hosts.join()], { directory: folder.path });

  it.each([{ app: APP }, { app: [] }])('are named and left out by pull and diff: %j', async ({ app }) => {
    expect(await run('pull', '/shop/flags/', '.', ...app)).toEqual({ exitCode: 1, out: ['a.json'], notes: LEFT_OUT });
    expect(readdirSync(folder.path)).toEqual(['a.json']);
    expect(await run('diff', '/shop/flags/', '.', ...app)).toEqual({
      exitCode: 0,
      out: [],
      notes: [...LEFT_OUT, 'no differences'],
    });
  });

  it('are never written or deleted by push', async () => {
    mkdirSync(join(folder.path, 'b'));
    writeFileSync(join(folder.path, 'b/%EF%BF%BD%EF%BF%BD.json'), '{"enabled":false}');
    const { exitCode, out, notes } = await run('push', '/shop/flags/', 'b', '--apply', '--prune', ...APP);

    expect([exitCode, notes]).toEqual([0, LEFT_OUT]);
    expect(out.map((line) => line.replace(/\d+/, 'N'))).toEqual([
      'delete /shop/flags/a (revision N)',
      'add /shop/flags/\ufffd\ufffd (revision N)',
    ]);
    expect(await etcd.direct.get(FIRST).json()).toEqual({ enabled: true });
    expect(await etcd.direct.get(SECOND).json()).toEqual({ enabled: 'no' });
  });

  it('are reported by check, as applications do', async () => {
    await etcd.put('/shop/db', { host: 'db', password: 'p', pool: { size: 1 } });
    expect(await run('check', ...APP)).toMatchObject({
      exitCode: 0,
      notes: [
        expect.stringContaining(
          String.raw`prefix "/shop/flags/": "/shop/flags/\xff\xfd" is not UTF-8, so it has no name`,
        ),
        expect.stringMatching(/^0 problems in 2 keys/),
      ],
    });
  });

  it('are shown by their bytes in watch', async () => {
    const lines: string[] = [];
    const interruption = new AbortController();
    const out = (line: string): number => lines.push(line.replace(/\d+/, 'N'));
    const args = ['watch', '/shop/flags/', '--hosts', etcd.hosts.join()];
    const running = cli(args, { out, interrupted: interruption.signal });
    await eventually(async () => {
      await etcd.put(FIRST, { enabled: false });
      return lines.some((line) => line.includes('xfe'));
    });
    interruption.abort();
    await running;

    expect(lines).toContain(String.raw`put /shop/flags/\xff\xfe (revision N)`);
  });
});
