import { readFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { IOptions } from 'etcd3';
import { ConnectionError, ConnectionTimeoutError } from 'nestjs-etcd-trigger';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Certificates, createCertificates } from '../support/certificates.js';
import { eventually } from '../support/eventually.js';
import { Recorder } from '../support/recorder.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

const LIMIT_MS = 2_500;
/** Additional time for a busy machine. */
const SLACK_MS = 5_000;

let folder: TemporaryFolder;
let files: Certificates;
let ca: Buffer;

beforeAll(async () => {
  folder = await TemporaryFolder.create('certificates');
  files = await createCertificates(folder.path);
  ca = await readFile(files.ca);
});
afterAll(async () => {
  await folder[Symbol.asyncDispose]();
});

/** Expects that every attempt fails within its limit, with a one-sentence message that matches `why`. */
async function expectRefusal(hosts: string, credentials: IOptions['credentials'], why: RegExp): Promise<void> {
  await using app = await startApp({
    hosts,
    client: { hosts, ...(credentials && { credentials }) },
    requestTimeoutMs: LIMIT_MS,
  });
  const since = performance.now();
  const failures = await Promise.all(
    [app.watcher.get('/a'), app.watcher.put('/a', 'x'), app.watcher.watch('/a/', () => undefined)].map((attempt) =>
      attempt.then(
        () => undefined,
        (error: unknown) => error,
      ),
    ),
  );

  for (const failure of failures) {
    expect(failure).toBeInstanceOf(ConnectionError);
    expect((failure as Error).message).toMatch(why);
    expect((failure as Error).message).not.toMatch(/[\n\r]|ssl3_|\d{4}-\d\d-\d\dT|Resolution note/);
  }
  expect(failures[2]).toBeInstanceOf(ConnectionTimeoutError);
  expect(performance.now() - since).toBeLessThan(LIMIT_MS + SLACK_MS);
}

describe.concurrent('a server that is not etcd causes a ConnectionError with the reason:', () => {
  const sockets = new Set<Socket>();
  const servers: Server[] = [];

  afterAll(() => {
    for (const socket of sockets) socket.destroy();
    for (const server of servers) server.close();
  });

  const listen = async (server: Server): Promise<number> => {
    servers.push(server);
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  };
  const secure = async () => ({ cert: await readFile(files.server.cert), key: await readFile(files.server.key) });
  const http = () => createHttpServer((_, response) => response.end('hello'));
  const garbage = () => createServer((socket) => socket.write(Buffer.alloc(300, 'garbage')));
  const resetting = () => createServer((socket) => socket.once('data', () => socket.resetAndDestroy()));

  it.each([
    ['a web server', () => Promise.resolve(http()), /the server does not speak HTTP\/2, so it is not etcd/],
    ['a server that does not respond', () => Promise.resolve(createServer()), /no answer within|did not answer within/],
    [
      'a server that sends garbage',
      () => Promise.resolve(garbage()),
      /the server does not speak HTTP\/2, so it is not etcd/,
    ],
    [
      'a server that closes the connection',
      () => Promise.resolve(createServer((socket) => socket.destroy())),
      /the server closed the connection; it may require TLS, or not be etcd/,
    ],
    [
      'a server with TLS',
      async () => createTlsServer(await secure(), (socket) => socket.on('error', () => undefined)),
      /the server closed the connection; it may require TLS, or not be etcd/,
    ],
  ])('%s', async (_, server, why) => {
    await expectRefusal(`http://127.0.0.1:${await listen(await server())}`, undefined, why);
  });

  it.each([
    ['a web server without TLS', () => Promise.resolve(http()), /the client used TLS, which the server does not speak/],
    [
      'a web server with TLS',
      async () => createHttpsServer(await secure(), (_, response) => response.end('hello')),
      /the server does not speak HTTP\/2, so it is not etcd/,
    ],
    ['a server that does not respond', () => Promise.resolve(createServer()), /no answer within|did not answer within/],
    ['a server that resets the connection', () => Promise.resolve(resetting()), /it may not speak TLS/],
    [
      'a server that sends garbage',
      () => Promise.resolve(garbage()),
      /the client used TLS, which the server does not speak/,
    ],
  ])('with a TLS client, %s', async (_, server, why) => {
    await expectRefusal(`https://127.0.0.1:${await listen(await server())}`, { rootCertificate: ca }, why);
  });

  it('a closed port and an unknown host name', async () => {
    await expectRefusal('http://127.0.0.1:1', undefined, /no connection to etcd: nothing listens at 127\.0\.0\.1:1/);
    await expectRefusal('http://no-such-host.invalid:2379', undefined, /the host name no-such-host.invalid is unknown/);
  });

  it('a server that replaced etcd temporarily is left as soon as etcd is back', async () => {
    await using etcd = await EtcdTestCluster.start();
    const proxy = await TcpProxy.start(etcd.first.clientPort);
    await using app = await startApp({ hosts: proxy.endpoint });
    const recorder = new Recorder();
    const subscription = await app.watcher.watch('/place/', recorder.onEvent);
    await app.watcher.put('/place/1', 'a');
    await eventually(() => recorder.events.length === 1);
    proxy.retarget(await listen(http()));
    proxy.cut();
    await eventually(() => subscription.status === 'interrupted');
    await expect(app.watcher.get('/place/1')).rejects.toThrow(ConnectionError);

    proxy.retarget(etcd.first.clientPort);

    await eventually(() => subscription.status === 'following');
    await app.watcher.put('/place/2', 'b');
    await eventually(() => recorder.events.length === 2);
    proxy.stop();
  });
});

describe.concurrent('an invalid certificate causes a ConnectionError with the reason:', () => {
  let server: EtcdTestCluster;
  let mutual: EtcdTestCluster;

  beforeAll(async () => {
    server = await EtcdTestCluster.start({ tls: { ca: files.ca, ...files.server } });
    mutual = await EtcdTestCluster.start({ tls: { ca: files.ca, ...files.server, clientAuth: true } });
  });
  afterAll(async () => {
    await server.stop();
    await mutual.stop();
  });

  const identity = async ({ cert, key }: { cert: string; key: string }) => ({
    rootCertificate: ca,
    certChain: await readFile(cert),
    privateKey: await readFile(key),
  });

  it('an untrusted authority', async () => {
    const rootCertificate = await readFile(files.otherCa);
    await expectRefusal(
      server.first.endpoint,
      { rootCertificate },
      /the server's certificate is not signed by a trusted authority/,
    );
  });

  it('an expired server certificate', async () => {
    await using expired = await EtcdTestCluster.start({ tls: { ca: files.ca, ...files.expiredServer } });
    await expectRefusal(expired.first.endpoint, { rootCertificate: ca }, /the server's certificate has expired/);
  });

  it('a missing, an expired and an untrusted client certificate', async () => {
    const { endpoint } = mutual.first;
    // Debian's etcd 3.4 does not distinguish the three cases.
    const expected = (why: RegExp): RegExp =>
      mutual.version.startsWith('3.4.') ? /rejects the client certificate, or requires one and none was given/ : why;
    await expectRefusal(
      endpoint,
      { rootCertificate: ca },
      expected(/the server requires a client certificate, and none was given/),
    );
    await expectRefusal(endpoint, await identity(files.expired), expected(/the client certificate, which has expired/));
    await expectRefusal(
      endpoint,
      await identity(files.stranger),
      expected(/the client certificate, which it does not trust/),
    );
  });

  it('a plain client of a TLS server, and a TLS client of a plain server', async () => {
    await expectRefusal(
      server.first.endpoint.replace('https', 'http'),
      undefined,
      /it may require TLS, or not be etcd/,
    );
    await using plain = await EtcdTestCluster.start();
    await expectRefusal(plain.first.endpoint.replace('http', 'https'), { rootCertificate: ca }, /it may not speak TLS/);
  });
});
