import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, readFile, readdir, rename, stat, symlink } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { archiveName } from '../../../lib/testing/etcd/etcd-from-release.js';
import { findEtcd } from '../../../lib/testing/index.js';
import { writeFakeEtcd } from '../../support/programs.js';
import { testFolder } from '../../support/test-folder.js';

type Fault = 'wrong checksum' | 'interrupted download' | 'missing file';

/** Creates a PATH without apt-get, so that only the release can be fetched. */
async function toolsWithoutApt(folder: string): Promise<string> {
  const tools = join(folder, 'tools');
  await mkdir(tools);
  for (const tool of ['tar', 'gzip']) {
    const path = execFileSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).trim();
    await symlink(path, join(tools, tool));
  }
  return tools;
}

/** Serves any requested release through a redirect, like GitHub. */
async function releaseServer(folder: string, fault?: Fault): Promise<string> {
  const server = createServer((request, response) => {
    void responseTo(request.url ?? '').then(([status, body]) => {
      if (status === 302) response.writeHead(302, { location: `/moved${request.url ?? ''}` }).end();
      else if (fault === 'interrupted download' && body.length > 200) {
        response.writeHead(status, { 'content-length': body.length });
        response.write(body.subarray(0, 200), () => response.destroy());
      } else response.writeHead(status).end(body);
    });
  });
  const responseTo = async (url: string): Promise<[number, Buffer]> => {
    if (!url.startsWith('/moved/')) return [302, Buffer.alloc(0)];
    const release = /\/v(3\.\d+\.\d+)\//.exec(url)?.[1] ?? '';
    const archive = await archiveOf(folder, release);
    if (!url.endsWith('SHA256SUMS')) return fault === 'missing file' ? [404, Buffer.alloc(0)] : [200, archive];
    const sum = createHash('sha256').update(archive).digest('hex');
    const name = archiveName(release, process.platform, process.arch);
    return [200, Buffer.from(`${'0'.repeat(64)}  other.tar.gz\n${sum}  ${name}.tar.gz\n`)];
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The release of 3.5 that is fetched. */
const RELEASE = '3.5.21';

const checksumOf = async (folder: string, release: string): Promise<string> =>
  createHash('sha256')
    .update(await archiveOf(folder, release))
    .digest('hex');

const archives = new Map<string, Promise<Buffer>>();

function archiveOf(folder: string, release: string): Promise<Buffer> {
  const key = `${folder}/${release}`;
  const made = archives.get(key) ?? makeArchive(folder, release);
  archives.set(key, made);
  return made;
}

async function makeArchive(folder: string, release: string): Promise<Buffer> {
  const name = archiveName(release, process.platform, process.arch);
  await writeFakeEtcd(join(folder, 'release', name, 'etcd'), release);
  execFileSync('tar', ['-czf', join(folder, 'release.tar.gz'), '-C', join(folder, 'release'), name]);
  return readFile(join(folder, 'release.tar.gz'));
}

describe.skipIf(process.platform !== 'linux')('an etcd from its release', () => {
  it('is downloaded, verified and cached', async () => {
    const folder = await testFolder();
    const env = {
      PATH: await toolsWithoutApt(folder),
      ETCD_CACHE_DIR: folder,
      ETCD_DOWNLOAD_BASE: await releaseServer(folder),
      ETCD_DOWNLOAD_SHA256: await checksumOf(folder, RELEASE),
    };

    const first = await findEtcd({ version: '3.5', env });
    const second = await findEtcd({ version: '3.5', env: { ...env, ETCD_DOWNLOAD_BASE: 'http://127.0.0.1:1' } });

    expect(first).toMatchObject({ source: 'release', version: expect.stringMatching(/^3\.5\./) as string });
    expect(first.path).toBe(join(folder, 'nestjs-etcd-trigger/etcd', first.version, 'etcd'));
    expect(second).toEqual({ ...first, source: 'cache' });
  });

  it('is complete for every process if several fetch it concurrently', async () => {
    const folder = await testFolder();
    const env = {
      PATH: await toolsWithoutApt(folder),
      ETCD_CACHE_DIR: folder,
      ETCD_DOWNLOAD_BASE: await releaseServer(folder),
      ETCD_DOWNLOAD_SHA256: await checksumOf(folder, RELEASE),
    };

    const found = await Promise.all(Array.from({ length: 5 }, () => findEtcd({ version: '3.5', env })));

    expect(new Set(found.map(({ path }) => path)).size).toBe(1);
    expect(await readdir(join(folder, 'nestjs-etcd-trigger/etcd'))).toEqual([found[0]?.version]);
  });

  it.each<[Fault, string]>([
    ['wrong checksum', 'differs from'],
    ['interrupted download', 'was interrupted'],
    ['missing file', 'returned status 404'],
  ])('leaves nothing in the cache after: %s', async (fault, message) => {
    const folder = await testFolder();
    const env = {
      PATH: await toolsWithoutApt(folder),
      ETCD_CACHE_DIR: folder,
      ETCD_DOWNLOAD_BASE: await releaseServer(folder, fault),
      ...(fault === 'wrong checksum' ? {} : { ETCD_DOWNLOAD_SHA256: await checksumOf(folder, RELEASE) }),
    };

    await expect(findEtcd({ version: '3.5', env })).rejects.toThrow(message);
    expect(await readdir(join(folder, 'nestjs-etcd-trigger/etcd'))).toEqual([]);
  });

  it('is not fetched over plain http from another machine', async () => {
    const folder = await testFolder();
    for (const ETCD_DOWNLOAD_BASE of ['http://192.0.2.1', 'http://127.0.0.1.example', 'ftp://127.0.0.1']) {
      const env = { PATH: folder, ETCD_CACHE_DIR: folder, ETCD_DOWNLOAD_BASE, ETCD_DOWNLOAD_SHA256: '0'.repeat(64) };
      await expect(findEtcd({ version: '3.5', env })).rejects.toThrow('is not https');
    }
  });

  it('is not run from or written to a cache that other users can change', async () => {
    const folder = await testFolder();
    const cached = join(folder, 'nestjs-etcd-trigger/etcd/3.5.3/etcd');
    const env = { PATH: folder, ETCD_CACHE_DIR: folder, ETCD_DOWNLOAD_BASE: 'http://127.0.0.1:1' };
    await writeFakeEtcd(cached, '3.5.3');
    expect(await findEtcd({ version: '3.5', env })).toMatchObject({ source: 'cache' });

    for (const path of [cached, dirname(cached), dirname(dirname(cached)), folder]) {
      const { mode } = await stat(path);
      await chmod(path, 0o777);
      await expect(findEtcd({ version: '3.5', env })).rejects.toThrow('was not found');
      await chmod(path, mode);
    }
    await chmod(dirname(dirname(cached)), 0o777);
    await expect(findEtcd({ version: '3.5', env })).rejects.toThrow('is writable by other users');
    await chmod(dirname(dirname(cached)), 0o755);

    await rename(cached, join(folder, 'elsewhere'));
    await symlink(join(folder, 'elsewhere'), cached);
    await expect(findEtcd({ version: '3.5', env })).rejects.toThrow('was not found');
  });

  it('does not exist for an unknown version or platform', async () => {
    const folder = await testFolder();

    await expect(findEtcd({ version: '2.3', env: { PATH: folder, ETCD_CACHE_DIR: folder } })).rejects.toThrow(
      'there is no known release of 2.3, only of 3.4, 3.5',
    );
    expect(() => archiveName('3.5.1', 'linux', 'mips')).toThrow('etcd has no release for linux on mips');
    expect(archiveName('3.5.1', 'darwin', 'arm64')).toBe('etcd-v3.5.1-darwin-arm64');
    expect(archiveName('3.5.1', 'win32', 'x64')).toBe('etcd-v3.5.1-windows-amd64');
  });
});
