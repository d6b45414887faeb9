import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Etcd3 } from 'etcd3';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { WatcherService } from 'nestjs-etcd-trigger';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { compileSnippets, namelessSnippetsIn, snippetsOf } from '../readme/snippets.js';
import { type Certificates, createCertificates } from '../support/certificates.js';
import { quiet } from '../support/quiet-logger.js';
import { APP, startSecured } from '../support/secured-cluster.js';

const DOCUMENT = 'docs/security.md';
const FOLDER = resolve('test/docs/.snippets/security');
const SNIPPETS = snippetsOf(DOCUMENT);

const KEY_NOT_FOUND = 'ETCD_KEY_NOT_FOUND';

describe('docs/security.md', () => {
  let folder: string;
  let files: Certificates;

  beforeAll(async () => {
    expect(compileSnippets(SNIPPETS, FOLDER)).toEqual([]);
    folder = await mkdtemp(join(tmpdir(), 'certificates-'));
    files = await createCertificates(folder);
  });
  afterEach(() => {
    for (const name of Object.keys(process.env))
      if (name.startsWith('ETCD_') && name !== 'ETCD_BIN') Reflect.deleteProperty(process.env, name);
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  /** Starts the module of a snippet, and writes and reads a key. */
  const use = async (
    title: string,
    name: string,
    environment: Record<string, string>,
    codeElsewhere = 'ETCD_PERMISSION_DENIED',
  ): Promise<void> => {
    Object.assign(process.env, environment);
    const loaded = (await import(join(FOLDER, title.replace(/\.ts$/, '.js')))) as Record<string, Type<unknown>>;
    const { [name]: module = Object } = loaded;
    const app = await Test.createTestingModule({ imports: [module] })
      .setLogger(quiet)
      .compile();
    await app.init();
    const watcher = app.get(WatcherService);
    await watcher.put('/allowed/1', 'x');
    expect((await watcher.get('/allowed/1')).value.toString()).toBe('x');
    await expect(watcher.get('/elsewhere')).rejects.toMatchObject({ code: codeElsewhere });
    await app.close();
  };

  it('names the file of every snippet, and every snippet is tested', () => {
    expect(namelessSnippetsIn(DOCUMENT)).toBe(0);
    expect([...SNIPPETS.keys()]).toEqual([
      'tls.module.ts',
      'mutual-tls.module.ts',
      'rotation.module.ts',
      'user.module.ts',
    ]);
  });

  it('connects with TLS', async () => {
    await using etcd = await EtcdTestCluster.start({ tls: { ca: files.ca, ...files.server } });
    await use('tls.module.ts', 'TlsModule', { ETCD_HOSTS: etcd.hosts.join(), ETCD_CA: files.ca }, KEY_NOT_FOUND);
  });

  it('connects with a client certificate', async () => {
    await using etcd = await EtcdTestCluster.start({ tls: { ca: files.ca, ...files.server, clientAuth: true } });
    await use(
      'mutual-tls.module.ts',
      'MutualTlsModule',
      {
        ETCD_HOSTS: etcd.hosts.join(),
        ETCD_CA: files.ca,
        ETCD_CERT: files.client.cert,
        ETCD_KEY: files.client.key,
      },
      KEY_NOT_FOUND,
    );
  });

  it('reads the certificates of a mounted folder', async () => {
    await using etcd = await EtcdTestCluster.start({ tls: { ca: files.ca, ...files.server, clientAuth: true } });
    const mounted = join(folder, 'mounted');
    await mkdir(mounted);
    await copyFile(files.ca, join(mounted, 'ca.crt'));
    await copyFile(files.client.cert, join(mounted, 'tls.crt'));
    await copyFile(files.client.key, join(mounted, 'tls.key'));
    const environment = { ETCD_HOSTS: etcd.hosts.join(), ETCD_TLS_FOLDER: mounted };
    await use('rotation.module.ts', 'RotationModule', environment, KEY_NOT_FOUND);
  });

  it('is the user that its client certificate names', async () => {
    await using etcd = await EtcdTestCluster.start({ tls: { ca: files.ca, ...files.server, clientAuth: true } });
    await enableUsers(etcd, files, 'client');
    await use('mutual-tls.module.ts', 'MutualTlsModule', {
      ETCD_HOSTS: etcd.hosts.join(),
      ETCD_CA: files.ca,
      ETCD_CERT: files.client.cert,
      ETCD_KEY: files.client.key,
    });
  });

  it('connects with user and password', async () => {
    await using secured = await startSecured();
    await use('user.module.ts', 'UserModule', {
      ETCD_HOSTS: secured.etcd.hosts.join(),
      ETCD_USER: APP.username,
      ETCD_PASSWORD: APP.password,
    });
  });
});

/** Enables authentication, and creates a user who may use the keys below `/allowed/`. */
async function enableUsers(etcd: EtcdTestCluster, files: Certificates, user: string): Promise<void> {
  const admin = new Etcd3({
    hosts: etcd.hosts,
    credentials: {
      rootCertificate: await readFile(files.ca),
      certChain: await readFile(files.client.cert),
      privateKey: await readFile(files.client.key),
    },
  });
  for (const name of ['root', user]) {
    const role = admin.role(name);
    await role.create();
    if (name === user) await role.grant({ permission: 'Readwrite', range: admin.range({ prefix: '/allowed/' }) });
    await admin.user(name).create('unused');
    await admin.user(name).addRole(name);
  }
  await admin.auth.authEnable();
  admin.close();
}
