import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Certificates, createCertificates } from '../support/certificates.js';
import { CollectingLogger } from '../support/collecting-logger.js';
import { eventually } from '../support/eventually.js';
import { GrpcReverseProxy, type GrpcReverseProxyOptions } from '../support/grpc-reverse-proxy.js';
import { allFollow, allHaveReceived, watchMany } from '../support/many-watches.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

const TARGETS = 20;
const etcd = ownEtcd();

const putEach = async (name: string): Promise<void> => {
  const entries = Array.from({ length: TARGETS }, (_, index) => [`/many/${index}/${name}`, 'x']);
  await etcd.putTogether(Object.fromEntries(entries) as Record<string, string>);
};

/** An interruption that takes longer has a line more, at its beginning. */
const interruptions = ({ lines }: CollectingLogger): string[] =>
  lines.filter(({ text }) => text.includes('following again')).map(({ text }) => text);

describe('behind an HTTP/2 proxy that terminates TLS:', () => {
  let folder: TemporaryFolder;
  let files: Certificates;

  beforeAll(async () => {
    folder = await TemporaryFolder.create('certificates');
    files = await createCertificates(folder.path);
  });
  afterAll(async () => {
    await folder[Symbol.asyncDispose]();
  });

  const start = async (options: GrpcReverseProxyOptions = {}) => {
    const { cert, key } = files.server;
    const tls = { cert: await readFile(cert), key: await readFile(key) };
    const proxy = await GrpcReverseProxy.start(etcd.first.endpoint, { ...options, tls });
    const logger = new CollectingLogger();
    const hosts = proxy.endpoint;
    const credentials = { rootCertificate: await readFile(files.ca) };
    const started = await startApp({ hosts, client: { hosts, credentials }, logger });
    const watches = await watchMany(started.watcher, TARGETS);
    await eventually(() => allFollow(watches));
    await putEach('a');
    await eventually(() => allHaveReceived(watches, 'a'));
    return {
      ...started,
      proxy,
      logger,
      watches,
      [Symbol.asyncDispose]: async () => {
        await started[Symbol.asyncDispose]();
        proxy.stop();
      },
    };
  };

  it('a reset stream and a GOAWAY are one log line each, and no event is missed', async () => {
    await using setup = await start();
    const { proxy, logger, watches, watcher } = setup;
    proxy.reset('Watch');
    await putEach('b');
    await eventually(() => allFollow(watches) && allHaveReceived(watches, 'a', 'b'));
    await eventually(() => interruptions(logger).length === 1);

    const written = Promise.all(Array.from({ length: TARGETS }, (_, index) => watcher.put(`/other/${index}`, 'x')));
    proxy.goAway();
    await written;
    await putEach('c');
    await eventually(() => proxy.accepted === 2);
    await eventually(() => allFollow(watches) && allHaveReceived(watches, 'a', 'b', 'c'));
    await eventually(() => interruptions(logger).length === 2);

    expect(interruptions(logger).every((text) => text.startsWith(`${TARGETS} targets: following again`))).toBe(true);
    expect(watches.flatMap(({ recorder }) => recorder.notices)).toEqual([]);
  });

  it('streams that the proxy ends because they are idle are opened again, with one log line each', async () => {
    await using setup = await start({ idleStreamMs: 1_500 });
    const { proxy, logger, watches } = setup;
    await eventually(() => proxy.requestsOf('Watch').length === 4);
    await putEach('b');
    await eventually(() => allFollow(watches) && allHaveReceived(watches, 'a', 'b'));

    expect(interruptions(logger).length).toBeLessThanOrEqual(proxy.requestsOf('Watch').length);
    expect(watches.flatMap(({ recorder }) => recorder.notices)).toEqual([]);
    expect(proxy.accepted).toBe(1);
  });
});

describe('behind a load balancer that ends idle connections:', () => {
  it('the next calls succeed without a log line, writes too', async () => {
    using balancer = await TcpProxy.start(etcd.first.clientPort);
    const logger = new CollectingLogger();
    await using app = await startApp({ hosts: balancer.endpoint, logger });
    for (const reset of [false, true, false]) {
      await app.watcher.put('/idle', 'x');
      balancer.cut({ reset });
      await eventually(() => balancer.openSockets === 0);
    }
    await app.watcher.put('/idle', 'y');

    expect((await app.watcher.get('/idle')).value.toString()).toBe('y');
    expect(logger.lines.filter(({ level }) => level === 'warn')).toEqual([]);
  });

  it('a read succeeds after the connection was forgotten without a FIN', async () => {
    using balancer = await TcpProxy.start(etcd.first.clientPort);
    await using app = await startApp({ hosts: balancer.endpoint });
    await app.watcher.put('/idle', 'x');
    balancer.drop();
    balancer.thaw();

    expect((await app.watcher.get('/idle')).value.toString()).toBe('x');
    expect(balancer.accepted).toBe(2);
  });

  it('watches follow again with one log line', async () => {
    using balancer = await TcpProxy.start(etcd.first.clientPort);
    const logger = new CollectingLogger();
    await using app = await startApp({ hosts: balancer.endpoint, logger });
    const watches = await watchMany(app.watcher, TARGETS);
    await eventually(() => allFollow(watches));
    balancer.cut();
    await putEach('a');
    await eventually(() => allFollow(watches) && allHaveReceived(watches, 'a'));
    await eventually(() => interruptions(logger).length === 1);

    expect(watches.flatMap(({ recorder }) => recorder.notices)).toEqual([]);
    expect(balancer.connections).toBe(1);
  });
});
