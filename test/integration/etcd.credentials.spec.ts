import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { Etcd3 } from 'etcd3';
import { ConnectionError } from 'nestjs-etcd-trigger';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CertificateFiles, type Certificates, createCertificates } from '../support/certificates.js';
import { CollectingLogger } from '../support/collecting-logger.js';
import { eventually } from '../support/eventually.js';
import { Recorder } from '../support/recorder.js';
import { APP, type SecuredCluster, startSecured } from '../support/secured-cluster.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

const SECRET = 'hunter2';

class SecretError extends Error {
  readonly code = 'ENOENT';
  constructor() {
    super(`cannot read the password ${SECRET}`);
  }
}

const failureOf = async (call: Promise<unknown>): Promise<Error> => {
  const outcome = await call.catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(ConnectionError);
  return outcome as Error;
};

describe('client.auth as a function', () => {
  let secured: SecuredCluster;

  beforeAll(async () => {
    secured = await startSecured();
  });
  afterAll(async () => {
    await secured[Symbol.asyncDispose]();
  });

  it.each([
    ['a value', () => APP],
    ['a promise', () => sleep(20, APP)],
  ])('may return %s', async (_, auth) => {
    const { hosts } = secured.etcd;
    await using app = await startApp({ hosts, client: { hosts, auth } });
    const recorder = new Recorder();
    await app.watcher.watch('/allowed/', recorder.onEvent, { initial: false });
    await app.watcher.put('/allowed/1', 'x');
    await eventually(() => recorder.events.length === 1);
  });

  it('is called again after the password was changed, and the watch goes on', async () => {
    const { admin, etcd } = secured;
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    let auth = APP;
    let calls = 0;
    const client = {
      hosts: proxy.endpoint,
      auth: () => {
        calls += 1;
        return auth;
      },
    };
    await using app = await startApp({ hosts: proxy.endpoint, client });
    const recorder = new Recorder();
    await app.watcher.watch('/allowed/', recorder.onEvent, { initial: false, onResync: recorder.onResync });
    await app.watcher.put('/allowed/1', 'x');
    const before = calls;
    auth = { ...APP, password: 'new-password' };
    await admin.user(APP.username).setPassword(auth.password);
    await app.watcher.put('/allowed/2', 'x');
    expect(calls).toBe(before + 1);
    proxy.cut();
    await admin.put('/allowed/3').value('x');
    await eventually(() => recorder.events.length === 3);

    expect(calls).toBe(before + 1);
    expect(recorder.notices).toEqual([]);
    await admin.user(APP.username).setPassword(APP.password);
  });

  it.each([
    [
      'throws',
      (): never => {
        throw new SecretError();
      },
    ],
    ['rejects', () => Promise.reject(new SecretError())],
  ])('that %s causes an error that names the option and the code, without the message', async (_, auth) => {
    const { hosts } = secured.etcd;
    const logger = new CollectingLogger();
    await using app = await startApp({ hosts, client: { hosts, auth }, logger, requestTimeoutMs: 1_000 });

    for (const call of [
      () => app.watcher.get('/allowed/1'),
      () => app.watcher.put('/allowed/1', 'x'),
      () => app.watcher.watch('/allowed/', () => undefined),
    ]) {
      const failure = await failureOf(call());
      expect(failure.message).toContain('the function client.auth failed (ENOENT)');
      expect(inspect(failure)).not.toContain(SECRET);
    }
    expect(logger.text).not.toContain(SECRET);
  });

  it('that fails at first does not prevent the start, and the injected Etcd3 works from its second use on', async () => {
    const { hosts } = secured.etcd;
    let isReady = false;
    const auth = () => {
      if (!isReady) throw new SecretError();
      return APP;
    };
    await using app = await startApp({ hosts, client: { hosts, auth }, requestTimeoutMs: 1_000 });
    await expect(app.watcher.get('/allowed/1')).rejects.toThrow(ConnectionError);
    isReady = true;
    await app.watcher.put('/allowed/1', 'x');

    const injected = app.app.get(Etcd3);
    expect(() => injected.get('/allowed/1')).toThrow(
      'Etcd3.get(): the function client.auth failed (ENOENT) when the client was built, which is tried again now',
    );
    await eventually(() => {
      expect(injected.kv).toBeDefined();
    });
    expect(await injected.get('/allowed/1').string()).toBe('x');
    await injected.put('/allowed/1').value('y');
    expect((await app.watcher.get('/allowed/1')).value.toString()).toBe('y');
  });

  it('that never settles causes an error that names the option; the next call of it counts', async () => {
    const { hosts } = secured.etcd;
    let calls = 0;
    const auth = () => {
      calls += 1;
      return calls <= 2 ? new Promise<typeof APP>(() => undefined) : APP;
    };
    // The injected client and the connection call the function once each.
    await using app = await startApp({ hosts, client: { hosts, auth }, requestTimeoutMs: 20_000 });
    const { message } = await failureOf(app.watcher.get('/allowed/1'));
    await app.watcher.put('/allowed/1', 'x');

    expect(message).toContain('the function client.auth did not settle within 4000 ms');
    expect(calls).toBe(3);
  });

  it('that returns no password fails the start with an error that names the option', async () => {
    const { hosts } = secured.etcd;
    const auth = () => ({ username: 'app' }) as typeof APP;

    await expect(startApp({ hosts, client: { hosts, auth } })).rejects.toThrow(
      'client.auth must have a username and a password',
    );
  });
});

describe('client.credentials as a function', () => {
  let folder: TemporaryFolder;
  let files: Certificates;
  let etcd: EtcdTestCluster;

  beforeAll(async () => {
    folder = await TemporaryFolder.create('credentials');
    files = await createCertificates(folder.path);
    etcd = await EtcdTestCluster.start({ tls: { ca: files.ca, ...files.server, clientAuth: true } });
  });
  afterAll(async () => {
    await etcd.stop();
    await folder[Symbol.asyncDispose]();
  });

  const read = async ({ cert, key }: CertificateFiles) => ({
    rootCertificate: await readFile(files.ca),
    certChain: await readFile(cert),
    privateKey: await readFile(key),
  });

  it.each(['a value', 'a promise'])('may return %s', async (kind) => {
    const { hosts } = etcd;
    const value = await read(files.client);
    const credentials = () => (kind === 'a value' ? value : sleep(20, value));
    await using app = await startApp({ hosts, client: { hosts, credentials } });
    const recorder = new Recorder();
    await app.watcher.watch('/tls/', recorder.onEvent, { initial: false });
    await app.watcher.put('/tls/1', 'x');
    await eventually(() => recorder.events.length === 1);
  });

  it('that never settles causes an error and a log line that name the option; the next call of it counts', async () => {
    const { hosts } = etcd;
    const value = await read(files.client);
    const logger = new CollectingLogger();
    let isHanging = true;
    const credentials = () => (isHanging ? new Promise<typeof value>(() => undefined) : value);
    await using app = await startApp({ hosts, client: { hosts, credentials }, logger, requestTimeoutMs: 20_000 });
    const { message } = await failureOf(app.watcher.get('/k'));
    isHanging = false;
    await eventually(() => app.watcher.put('/k', 'x'));

    expect(message).toContain('the function client.credentials did not settle within 4000 ms');
    expect(logger.text).toContain('the function client.credentials did not settle within 4000 ms');
  });

  it('is called for each connection, and renewed certificates end an outage', async () => {
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    const hosts = `https://127.0.0.1:${proxy.port}`;
    const logger = new CollectingLogger();
    let current = files.client;
    let calls = 0;
    const credentials = () => {
      calls += 1;
      return read(current);
    };
    await using app = await startApp({ hosts, client: { hosts, credentials }, logger });
    const recorder = new Recorder();
    const subscription = await app.watcher.watch('/renewed/', recorder.onEvent, { onResync: recorder.onResync });
    await app.watcher.put('/renewed/1', 'x');
    const before = calls;
    current = files.expired;
    proxy.cut();
    await eventually(() => calls > before && subscription.status === 'interrupted');
    await eventually(() => logger.text.includes('the server rejects the client certificate'));
    current = files.client;
    await eventually(() => subscription.status === 'following');
    await app.watcher.put('/renewed/2', 'x');
    await eventually(() => recorder.events.length === 2);

    expect(recorder.notices).toEqual([]);
  });

  it.each([
    [
      'throws',
      (): never => {
        throw new SecretError();
      },
    ],
    ['rejects', () => Promise.reject(new SecretError())],
  ])('that %s causes an error that names the option and the code, without the message', async (_, credentials) => {
    const { hosts } = etcd;
    const logger = new CollectingLogger();
    await using app = await startApp({ hosts, client: { hosts, credentials }, logger, requestTimeoutMs: 1_000 });

    for (const call of [
      () => app.watcher.get('/k'),
      () => app.watcher.put('/k', 'x'),
      () => app.watcher.watch('/k/', () => undefined),
    ]) {
      const failure = await failureOf(call());
      expect(failure.message).toContain('the function client.credentials failed (ENOENT)');
      expect(inspect(failure)).not.toContain(SECRET);
    }
    expect(logger.text).toContain('the function client.credentials failed (ENOENT)');
    expect(logger.text).not.toContain(SECRET);
  });
});
