import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EtcdNotFoundError, findEtcd } from '../../../lib/testing/index.js';
import { InvalidOptionsError } from '../../../lib/index.js';
import { writeFakeEtcd, writeProgram } from '../../support/programs.js';
import { testFolder } from '../../support/test-folder.js';

/** Nothing listens there, so downloads fail immediately. */
const NO_RELEASES = 'http://127.0.0.1:1';

describe('findEtcd', () => {
  it('prefers ETCD_BIN to the PATH, and the PATH to the cache', async () => {
    const folder = await testFolder();
    const named = await writeFakeEtcd(join(folder, 'named/my-etcd'), '3.5.1');
    const onPath = await writeFakeEtcd(join(folder, 'bin/etcd'), '3.5.2');
    const cached = await writeFakeEtcd(join(folder, 'cache/nestjs-etcd-trigger/etcd/3.5.3/etcd'), '3.5.3');
    const env = { ETCD_BIN: named, PATH: join(folder, 'bin'), ETCD_CACHE_DIR: join(folder, 'cache') };

    expect(await findEtcd({ env })).toEqual({ path: named, version: '3.5.1', source: 'ETCD_BIN' });
    expect(await findEtcd({ env: { ...env, ETCD_BIN: '' } })).toEqual({
      path: onPath,
      version: '3.5.2',
      source: 'PATH',
    });
    expect(await findEtcd({ env: { ...env, ETCD_BIN: undefined, PATH: folder } })).toEqual({
      path: cached,
      version: '3.5.3',
      source: 'cache',
    });
  });

  it('skips and logs binaries of other versions than the requested one', async () => {
    const folder = await testFolder();
    const named = await writeFakeEtcd(join(folder, 'named/etcd'), '3.5.1');
    await writeFakeEtcd(join(folder, 'bin/etcd'), '3.40.2');
    const cached = await writeFakeEtcd(join(folder, 'cache/nestjs-etcd-trigger/etcd/3.4.3/etcd'), '3.4.3');
    const env = { ETCD_BIN: named, PATH: join(folder, 'bin'), ETCD_CACHE_DIR: join(folder, 'cache') };
    const lines: string[] = [];

    const found = await findEtcd({ version: '3.4', env, log: (line) => lines.push(line) });

    expect(found).toEqual({ path: cached, version: '3.4.3', source: 'cache' });
    expect(lines).toHaveLength(2);
  });

  it('uses the newest cached binary of a version, and prefers 3.5 if none is requested', async () => {
    const folder = await testFolder();
    const cache = join(folder, 'nestjs-etcd-trigger/etcd');
    for (const version of ['3.4.9', '3.4.23', '3.5.9', '3.5.16', '3.6.1']) {
      await writeFakeEtcd(join(cache, version, 'etcd'), version);
    }
    const env = { PATH: folder, XDG_CACHE_HOME: folder };

    expect((await findEtcd({ version: '3.4', env })).version).toBe('3.4.23');
    expect((await findEtcd({ env })).version).toBe('3.5.16');
  });

  it('skips a program on the PATH that is not etcd', async () => {
    const folder = await testFolder();
    await writeProgram(join(folder, 'first/etcd'), '#!/bin/sh\nexit 3\n');
    const second = await writeFakeEtcd(join(folder, 'second/etcd'), '3.5.2');

    const found = await findEtcd({ env: { PATH: `${join(folder, 'first')}:${join(folder, 'second')}` } });

    expect(found).toEqual({ path: second, version: '3.5.2', source: 'PATH' });
  });

  it.each([
    ['does not exist', (path: string) => Promise.resolve(path)],
    ['cannot be executed', (path: string) => writeProgram(path, 'not a program')],
    ['is another program', (path: string) => writeProgram(path, '#!/bin/sh\necho hello\n')],
  ])('fails if ETCD_BIN %s', async (_, prepare) => {
    const folder = await testFolder();
    const path = await prepare(join(folder, 'wrong/etcd'));
    await writeFakeEtcd(join(folder, 'bin/etcd'), '3.5.2');

    const found = findEtcd({ env: { ETCD_BIN: path, PATH: join(folder, 'bin') } });

    await expect(found).rejects.toThrow(InvalidOptionsError);
    await expect(found).rejects.toThrow(`ETCD_BIN is "${path}"`);
  });

  it('rejects a version that is not major.minor', async () => {
    await expect(findEtcd({ version: '3.5.16' })).rejects.toThrow('version is "3.5.16", but must be major.minor');
  });

  it('lists all attempts and remedies if etcd cannot be found', async () => {
    const folder = await testFolder();
    const env = { PATH: folder, ETCD_CACHE_DIR: folder, ETCD_DOWNLOAD_BASE: NO_RELEASES };

    const error: unknown = await findEtcd({ version: '3.4', env }).catch((cause: unknown) => cause);

    expect(error).toBeInstanceOf(EtcdNotFoundError);
    expect(error).toMatchObject({ code: 'ETCD_NOT_FOUND', tried: { length: 3 } });
    for (const part of ['3.4', 'ETCD_BIN', 'PATH', 'apt-get', 'ETCD_DOWNLOAD_BASE', 'docker run', 'ETCD_HOSTS']) {
      expect((error as Error).message).toContain(part);
    }
    expect(await readdir(folder)).toEqual([]);
  });

  it.each(['3.4', '3.5'])('fetches a real etcd %s once', async (version) => {
    const env = { ...process.env, ETCD_BIN: undefined };

    const first = await findEtcd({ version, env });
    const second = await findEtcd({ version, env });

    expect(first.version.startsWith(`${version}.`)).toBe(true);
    expect(second.path).toBe(first.path);
    expect(['PATH', 'cache']).toContain(second.source);
  });
});
