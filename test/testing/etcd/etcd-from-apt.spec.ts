import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { etcdSources, parseSources } from '../../../lib/testing/etcd/apt-sources.js';
import { newestFirst } from '../../../lib/testing/etcd/etcd-from-apt.js';
import { testFolder } from '../../support/test-folder.js';

async function machine(id: string, files: Readonly<Record<string, string>>): Promise<string> {
  const root = await testFolder();
  const all = {
    'etc/os-release': `NAME=x\nID=${id}\n`,
    [`usr/share/keyrings/${id}-archive-keyring.gpg`]: '',
    ...files,
  };
  for (const [path, text] of Object.entries(all)) {
    await mkdir(join(root, path, '..'), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return root;
}

describe('the sources for an etcd package', () => {
  it('are the mirrors from both formats, in all suites, restricted to the keyring of the distribution', async () => {
    const root = await machine('debian', {
      'etc/apt/sources.list': [
        '# deb http://commented.example/debian bookworm main',
        'deb [arch=amd64] http://one.example/debian/ bookworm main contrib # a remark',
        'deb-src http://one.example/debian bookworm main',
        'deb http://security.example/debian-security bookworm-security main',
        '',
      ].join('\n'),
      'etc/apt/sources.list.d/two.sources': [
        'Types: deb',
        '# a remark',
        'URIs: http://two.example/debian',
        'Suites: bookworm bookworm-updates',
        'Components: main',
        'Signed-By:',
        ' -----BEGIN PGP PUBLIC KEY BLOCK-----',
        ' .',
        '',
        'Types: deb',
        'Enabled: no',
        'URIs: http://three.example/debian',
        'Suites: bookworm',
        'Components: main',
        '',
      ].join('\n'),
      'etc/apt/sources.list.d/old.list.disabled': 'deb http://four.example/debian bookworm main\n',
    });

    const options = `[signed-by=${root}/usr/share/keyrings/debian-archive-keyring.gpg target=Packages]`;
    expect(await etcdSources(root)).toEqual(
      ['http://one.example/debian', 'http://two.example/debian'].flatMap((uri) =>
        ['bookworm', 'trixie', 'testing', 'sid'].map((suite) => `deb ${options} ${uri} ${suite} main`),
      ),
    );
  });

  it('are in universe on Ubuntu', async () => {
    const root = await machine('ubuntu', {
      'etc/apt/sources.list':
        'deb http://one.example/ubuntu noble main\ndeb http://one.example/ubuntu noble universe\n',
    });

    expect((await etcdSources(root)).map((line) => line.split('] ')[1])).toEqual([
      'http://one.example/ubuntu noble universe',
      'http://one.example/ubuntu devel universe',
    ]);
  });

  it('cannot be determined on other systems, without a keyring or without an archive', async () => {
    const [other, withoutKeyring, withoutArchive] = [
      await machine('fedora', {}),
      await machine('debian', {}),
      await machine('debian', { 'etc/apt/sources.list': '' }),
    ];
    await writeFile(join(withoutKeyring, 'etc/os-release'), 'ID=ubuntu\n');

    await expect(etcdSources(other)).rejects.toThrow('neither Debian nor Ubuntu');
    await expect(etcdSources(withoutKeyring)).rejects.toThrow('the keyring of ubuntu is not installed');
    await expect(etcdSources(withoutArchive)).rejects.toThrow('contain no archive');
  });

  it('are read from fields that span several lines', () => {
    const text =
      'Types: deb deb-src\nURIs: http://one.example/a\n http://one.example/b\nSuites: sid\nComponents: main\n';

    expect(parseSources(text, 'sources')).toEqual([
      { uris: ['http://one.example/a', 'http://one.example/b'], suites: ['sid'], components: ['main'] },
    ]);
  });
});

it('orders the packages of a version from newest to oldest', () => {
  const madison = [
    'etcd-server |   3.5.30-2 | http://one.example/debian testing/main amd64 Packages',
    'etcd-server |   3.5.30-2 | http://one.example/debian sid/main amd64 Packages',
    'etcd-server |   3.5.4-1 | http://one.example/debian trixie/main amd64 Packages',
    'etcd-server | 3.5.16-4 | http://one.example/debian trixie/main amd64 Packages',
    'etcd-server | 3.4.23-4+b4 | http://one.example/debian bookworm/main amd64 Packages',
    '',
  ].join('\n');

  expect(newestFirst(madison, '3.5')).toEqual(['3.5.30-2', '3.5.16-4', '3.5.4-1']);
  expect(newestFirst(madison, '3.4')).toEqual(['3.4.23-4+b4']);
  expect(newestFirst('', '3.5')).toEqual([]);
});
