import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Etcd3, type IOptions } from 'etcd3';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { type CertificateFiles, type Certificates, createCertificates } from '../support/certificates.js';
import { TcpProxy } from '../support/tcp-proxy.js';

type Credentials = NonNullable<IOptions['credentials']>;

/** An etcd behind a proxy that requires a certificate, a user and a password; the application may use `/open/`. */
export interface GuardedCluster extends AsyncDisposable {
  readonly proxy: TcpProxy;
  /** A root client that does not use the proxy. */
  readonly admin: Etcd3;
  readonly certificates: Certificates;
  /** Options of etcd3 for the application. */
  clientOptions(who?: {
    readonly password?: string;
    readonly files?: CertificateFiles;
  }): Promise<IOptions & { readonly credentials: Credentials }>;
}

export async function startGuarded(passwords: {
  readonly root: string;
  readonly app: string;
}): Promise<GuardedCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'guarded-'));
  const certificates = await createCertificates(folder);
  const etcd = await EtcdTestCluster.start({ tls: { ca: certificates.ca, ...certificates.server, clientAuth: true } });
  const credentials = async ({ cert, key } = certificates.client): Promise<Credentials> => ({
    rootCertificate: await readFile(certificates.ca),
    certChain: await readFile(cert),
    privateKey: await readFile(key),
  });
  await createUsers({ hosts: etcd.hosts, credentials: await credentials() }, passwords);
  const proxy = await TcpProxy.start(etcd.first.clientPort);
  const admin = new Etcd3({
    hosts: etcd.hosts,
    credentials: await credentials(),
    auth: { username: 'root', password: passwords.root },
  });
  return {
    proxy,
    admin,
    certificates,
    clientOptions: async ({ password = passwords.app, files } = {}) => ({
      hosts: proxy.endpoint.replace(/^http:/, 'https:'),
      credentials: await credentials(files),
      auth: { username: 'app', password },
    }),
    [Symbol.asyncDispose]: async () => {
      admin.close();
      proxy.stop();
      await etcd.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function createUsers(
  options: IOptions,
  passwords: { readonly root: string; readonly app: string },
): Promise<void> {
  const setup = new Etcd3(options);
  await setup.role('root').create();
  const role = setup.role('app');
  await role.create();
  await role.grant({ permission: 'Readwrite', range: setup.range({ prefix: '/open/' }) });
  for (const username of ['root', 'app'] as const) {
    await setup.user(username).create(passwords[username]);
    await setup.user(username).addRole(username);
  }
  await setup.auth.authEnable();
  setup.close();
}
