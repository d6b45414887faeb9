import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { IsInt } from 'class-validator';
import { Etcd3, type IPermissionRequest } from 'etcd3';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { AuthenticationError, PermissionDeniedError, WatchKey, type WatchEvent } from 'nestjs-etcd-trigger';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Certificates, createCertificates } from '../support/certificates.js';
import { CollectingLogger } from '../support/collecting-logger.js';
import { eventually } from '../support/eventually.js';
import { read } from '../support/gateway.js';
import { Recorder } from '../support/recorder.js';
import { APP, type SecuredCluster, startSecured } from '../support/secured-cluster.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

class Limit {
  @IsInt() count!: number;
}

describe('with user and password', () => {
  let secured: SecuredCluster;

  beforeAll(async () => {
    secured = await startSecured();
  });
  afterAll(async () => {
    await secured[Symbol.asyncDispose]();
  });

  const start = (auth: { username: string; password: string } | undefined, more: object = {}, metadata: object = {}) =>
    startApp(
      { hosts: secured.etcd.hosts, client: { hosts: secured.etcd.hosts, ...(auth && { auth }) }, ...more },
      metadata,
    );

  it('an application needs only a role with access to one prefix', async () => {
    await secured.admin.put('/allowed/limit').value('{"count":1}');
    const seen: string[] = [];
    class Handler {
      @WatchKey('/allowed/events/')
      onEvent({ key }: WatchEvent): void {
        seen.push(key);
      }
    }
    await using app = await start(
      APP,
      { configs: [{ key: '/allowed/limit', type: Limit, required: true }] },
      { providers: [Handler] },
    );
    await app.store.put('/allowed/limit', { count: 2 });
    await app.watcher.put('/allowed/events/1', 'x');
    await eventually(() => seen.length === 1);

    expect(app.store.get('/allowed/limit', Limit)).toEqual({ count: 2 });
    expect((await app.watcher.get('/allowed/events/1')).value.toString()).toBe('x');
  });

  it('a role that can only read a prefix can follow it, through cuts, a compaction and a new token', async () => {
    const { admin, etcd } = secured;
    const reader = { username: 'reader', password: 'reader-password' };
    await grant(admin, reader, { permission: 'Read', range: admin.range({ prefix: '/read/' }) });
    const denied = await deniedCalls(etcd);
    const put = async (key: string) => Number((await admin.put(key).value('{"count":1}')).header.revision);
    await put('/read/limits/1');
    const proxy = await TcpProxy.start(etcd.first.clientPort);
    const logger = new CollectingLogger();
    await using app = await startApp({
      hosts: proxy.endpoint,
      client: { hosts: proxy.endpoint, auth: reader },
      configs: [{ prefix: '/read/limits/', type: Limit, required: true }],
      logger,
    });
    const recorder = new Recorder();
    await app.watcher.watch('/read/', recorder.onEvent, { initial: false, onResync: recorder.onResync });
    const seen = async (count: number) => {
      await eventually(() => recorder.events.length === count && app.store.keys().length === count + 1);
    };

    await put('/read/limits/2');
    await seen(1);
    proxy.cut();
    await put('/read/limits/3');
    await seen(2);
    proxy.refuse();
    proxy.cut();
    await admin.kv.compact({ revision: String(await put('/read/limits/4')), physical: true });
    await proxy.accept();
    await seen(3);
    // Setting the same password again invalidates every token.
    await admin.user(reader.username).setPassword(reader.password);
    proxy.cut();
    await put('/read/limits/5');
    await seen(4);

    expect(recorder.notices.map(({ reason }) => reason)).toEqual(['compacted']);
    expect(await deniedCalls(etcd)).toBe(denied);
    expect(logger.text).not.toMatch(/permission denied/i);
    proxy.stop();
  });

  it('a role that can only read one key can follow that key', async () => {
    const { admin } = secured;
    const single = { username: 'single', password: 'single-password' };
    await grant(admin, single, { permission: 'Read', key: '/single' });
    await admin.put('/single').value('{"count":1}');
    await using app = await start(single, { configs: [{ key: '/single', type: Limit, required: true }] });
    const recorder = new Recorder();
    await app.watcher.watch({ key: '/single' }, recorder.onEvent);
    await admin.put('/single').value('{"count":2}');
    await eventually(() => recorder.events.length === 2 && app.store.get('/single', Limit)?.count === 2);

    await expect(app.watcher.watch('/single', () => undefined)).rejects.toThrow(PermissionDeniedError);
    const denied = await deniedCalls(secured.etcd);
    await expect(app.watcher.put('/single', 'x')).rejects.toThrow(PermissionDeniedError);
    expect(await deniedCalls(secured.etcd)).toBe(denied + 1);
  });

  it('a role that can only read the layers of a definition can follow them', async () => {
    const { admin } = secured;
    const reader = { username: 'layers', password: 'layers-password' };
    await grant(admin, reader, { permission: 'Read', key: '/layers/base' });
    const role = admin.role(reader.username);
    await role.grant({ permission: 'Read', key: '/layers/prod' });
    await admin.put('/layers/base').value('{"count":1}');
    const configs = [{ key: '/limit', type: Limit, required: true, layers: ['/layers/base', '/layers/prod'] }];
    await using app = await start(reader, { configs });
    await admin.put('/layers/prod').value('{"count":2}');
    await eventually(() => app.store.get('/limit', Limit)?.count === 2);
    await role.revoke({ permission: 'Read', key: '/layers/prod' });
    await admin.put('/layers/base').value('{}');
    await eventually(() => app.store.status === 'stale');

    expect(app.store.entry('/limit', Limit)).toMatchObject({ state: 'valid', value: { count: 2 } });
  });

  it('a denied request causes a PermissionDeniedError with the key', async () => {
    await using app = await start(APP);

    for (const attempt of [
      () => app.watcher.get('/secret'),
      () => app.watcher.put('/secret', 'x'),
      () => app.watcher.delete('/secret'),
      () => app.watcher.watch('/secret/', () => undefined),
      () => app.watcher.watch({ prefix: '' }, () => undefined),
    ]) {
      await expect(attempt()).rejects.toThrow(PermissionDeniedError);
    }
    await expect(app.watcher.put('/secret', 'x')).rejects.toMatchObject({
      key: '/secret',
      code: 'ETCD_PERMISSION_DENIED',
    });
  });

  it('a wrong or missing password causes an AuthenticationError immediately, without the password in the message', async () => {
    await using wrong = await start({ username: 'app', password: 'not-this-one' });
    await using none = await start(undefined);

    await expect(wrong.watcher.get('/allowed/1')).rejects.toThrow(AuthenticationError);
    await expect(wrong.watcher.watch('/allowed/', () => undefined)).rejects.toThrow(AuthenticationError);
    await expect(none.watcher.get('/allowed/1')).rejects.toThrow(/user name and password/);
    await expect(none.watcher.put('/allowed/1', 'x')).rejects.toThrow(AuthenticationError);
    await expect(wrong.watcher.get('/allowed/1')).rejects.not.toThrow(/not-this-one/);
  });

  it('a user and a password are accepted by a server without authentication', async () => {
    await using open = await EtcdTestCluster.start();
    await using app = await startApp({ hosts: open.hosts, client: { hosts: open.hosts, auth: APP } });
    const recorder = new Recorder();
    await app.watcher.watch('/allowed/', recorder.onEvent);
    await app.watcher.put('/allowed/1', 'x');
    await eventually(() => recorder.events.length === 1);
  });

  it('a changed password fails new requests but not running watches, until it is changed back', async () => {
    await using changing = await startSecured();
    const proxy = await TcpProxy.start(changing.etcd.first.clientPort);
    await using app = await startApp({ hosts: proxy.endpoint, client: { hosts: proxy.endpoint, auth: APP } });
    const recorder = new Recorder();
    await app.watcher.watch('/allowed/', recorder.onEvent);
    await changing.admin.user('app').setPassword('another');
    await changing.admin.put('/allowed/1').value('a');
    await eventually(() => recorder.events.length === 1);
    await expect(app.watcher.get('/allowed/1')).rejects.toThrow(AuthenticationError);
    await changing.admin.user('app').setPassword(APP.password);
    await eventually(async () => (await app.watcher.get('/allowed/1')).version === 1);
    proxy.cut();
    await changing.admin.put('/allowed/2').value('b');
    await eventually(() => recorder.events.length === 2, { withinMs: 45_000 });
    proxy.stop();
  });
});

async function grant(
  admin: Etcd3,
  { username, password }: { readonly username: string; readonly password: string },
  permission: IPermissionRequest,
): Promise<void> {
  const role = admin.role(username);
  await role.create();
  await role.grant(permission);
  await admin.user(username).create(password);
  await admin.user(username).addRole(username);
}

/** Returns the number of calls that etcd has denied so far. */
async function deniedCalls(etcd: EtcdTestCluster): Promise<number> {
  const metrics = await (await fetch(`${etcd.first.endpoint}/metrics`)).text();
  const counts = metrics.matchAll(/^grpc_server_handled_total\{grpc_code="PermissionDenied".*\} (\d+)$/gm);
  return Array.from(counts, ([, count]) => Number(count)).reduce((sum, count) => sum + count, 0);
}

it('a token with a lifetime of 2 s is renewed by watches and by writes', async () => {
  await using secured = await startSecured(['--auth-token=simple', '--auth-token-ttl=2']);
  const proxy = await TcpProxy.start(secured.etcd.first.clientPort);
  await using app = await startApp({ hosts: proxy.endpoint, client: { hosts: proxy.endpoint, auth: APP } });
  const recorder = new Recorder();
  await app.watcher.watch('/allowed/', recorder.onEvent);
  await app.watcher.put('/allowed/0', 'x');
  // The server decides when the token has expired: from then on it rejects a client that still uses its first token.
  const { token } = (await secured.admin.auth.authenticate({ name: APP.username, password: APP.password })) as {
    token: string;
  };
  await eventually(async () => !(await isAccepted(secured.etcd.first.endpoint, token)));
  const written = [(await app.watcher.put('/allowed/1', 'y')).revision];
  await eventually(() => recorder.events.length === 2);
  await eventually(async () => !(await isAccepted(secured.etcd.first.endpoint, token)));
  proxy.cut();
  for (const key of ['/allowed/2', '/allowed/3']) {
    written.push(Number((await secured.admin.put(key).value('z')).header.revision));
  }
  await eventually(() => recorder.events.length === 4);

  expect(recorder.revisions.slice(1)).toEqual(written);
  proxy.stop();
});

/** True if etcd accepts the token. Each use of a simple token extends its lifetime, so the check waits first. */
async function isAccepted(endpoint: string, token: string): Promise<boolean> {
  await sleep(2_500);
  return read(endpoint, '/allowed/0', { token }).then(
    () => true,
    () => false,
  );
}

describe('with TLS', () => {
  let folder: TemporaryFolder;
  let files: Certificates;
  let etcd: EtcdTestCluster;
  let mutual: EtcdTestCluster;

  beforeAll(async () => {
    folder = await TemporaryFolder.create('certificates');
    files = await createCertificates(folder.path);
    etcd = await EtcdTestCluster.start({ tls: { ca: files.ca, ...files.server } });
    mutual = await EtcdTestCluster.start({ tls: { ca: files.ca, ...files.server, clientAuth: true } });
  });
  afterAll(async () => {
    await etcd.stop();
    await mutual.stop();
    await folder[Symbol.asyncDispose]();
  });

  const start = async (cluster: EtcdTestCluster, ca: string, client?: { cert: string; key: string }) => {
    const credentials = {
      rootCertificate: await readFile(ca),
      ...(client && { certChain: await readFile(client.cert), privateKey: await readFile(client.key) }),
    };
    return startApp({ hosts: cluster.hosts, client: { hosts: cluster.hosts, credentials }, requestTimeoutMs: 2_000 });
  };
  const followsOn = async (
    cluster: EtcdTestCluster,
    ca: string,
    client?: { cert: string; key: string },
  ): Promise<void> => {
    await using app = await start(cluster, ca, client);
    const recorder = new Recorder();
    await app.watcher.watch('/tls/', recorder.onEvent, { initial: false });
    await app.watcher.put('/tls/1', 'x');
    await eventually(() => recorder.events.length === 1);
  };

  it('a watch follows and writes succeed', () => followsOn(etcd, files.ca));

  it('a watch follows and writes succeed with a client certificate, if the server requires one', () =>
    followsOn(mutual, files.ca, files.client));
});

it('a supplied Etcd3 client stays open', async () => {
  await using etcd = await EtcdTestCluster.start();
  const supplied = new Etcd3({ hosts: etcd.hosts });
  const app = await startApp({ hosts: etcd.hosts, client: supplied });
  await app[Symbol.asyncDispose]();
  await supplied.put('/still').value('open');
  expect(await supplied.get('/still').string()).toBe('open');
  supplied.close();
});
