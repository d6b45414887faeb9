import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createSecureServer, type Http2SecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer, type Server, type TlsOptions as ServerOptions } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TlsOptions } from '../../../lib/etcd/transport/connect-socket.js';
import type { GrpcSession } from '../../../lib/etcd/transport/grpc-session.js';
import { type Certificates, createCertificates } from '../../support/certificates.js';
import { grpcMessage } from '../../support/frames.js';
import { sessions } from '../../support/grpc-session.js';
import { RawHttp2Server } from '../../support/raw-http2-server.js';

const { open, after } = sessions();
let folder: string;
let files: Certificates;
let trusted: Pick<TlsOptions, 'ca'>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transport-tls-'));
  files = await createCertificates(folder);
  trusted = { ca: await readFile(files.ca) };
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function identityOf(
  of: 'server' | 'client' | 'expiredServer' | 'stranger',
): Promise<{ cert: Buffer; key: Buffer }> {
  return { cert: await readFile(files[of].cert), key: await readFile(files[of].key) };
}

async function listen(server: Server | Http2SecureServer): Promise<number> {
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  after(() => {
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A gRPC server over TLS that answers every call with the server name that the client sent. */
async function serve(options: ServerOptions = {}): Promise<number> {
  const server = createSecureServer({ ...(await identityOf('server')), ...options });
  server.on('session', (session) => {
    session.on('error', () => undefined);
    after(() => {
      session.destroy();
    });
  });
  server.on('stream', (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => {
      stream.sendTrailers({ 'grpc-status': '0' });
    });
    const { servername } = stream.session?.socket as unknown as { servername: string | false };
    stream.end(grpcMessage(Buffer.from(String(servername))));
  });
  return listen(server);
}

function connect(port: number, tls: TlsOptions): GrpcSession {
  return open({ address: { host: '127.0.0.1', port }, tls });
}

async function failureOf(session: GrpcSession): Promise<unknown> {
  await session.ready.catch(() => undefined);
  return await session.closed;
}

describe('GrpcSession over TLS', () => {
  it('checks and sends the name while it connects to an address', async () => {
    const session = connect(await serve(), { ...trusted, servername: 'localhost' });

    expect(String(await session.unary('/a/b', Buffer.alloc(0)))).toBe('localhost');
  });

  it('checks an IP address without sending it as a name', async () => {
    const session = connect(await serve(), { ...trusted, servername: '127.0.0.1' });

    expect(String(await session.unary('/a/b', Buffer.alloc(0)))).toBe('false');
  });

  it.each(['other.example', '127.0.0.2'])('rejects a server whose certificate is not for %s', async (servername) => {
    const session = connect(await serve(), { ...trusted, servername });

    expect(await failureOf(session)).toMatchObject({ failure: 'connect', code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
  });

  it('rejects a server that an unknown authority has signed', async () => {
    const session = connect(await serve(), { ca: await readFile(files.otherCa), servername: 'localhost' });

    expect(await failureOf(session)).toMatchObject({ failure: 'connect', code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
  });

  it('rejects a server whose certificate has expired', async () => {
    const session = connect(await serve(await identityOf('expiredServer')), { ...trusted, servername: 'localhost' });

    expect(await failureOf(session)).toMatchObject({ failure: 'connect', code: 'CERT_HAS_EXPIRED' });
  });

  it('presents a certificate of the client', async () => {
    const port = await serve({ requestCert: true, rejectUnauthorized: true, ca: [await readFile(files.ca)] });
    const session = connect(port, { ...trusted, ...(await identityOf('client')), servername: 'localhost' });

    expect(String(await session.unary('/a/b', Buffer.alloc(0)))).toBe('localhost');
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'keeps the alert for a missing client certificate, in %s',
    async (version) => {
      const port = await serve({
        requestCert: true,
        rejectUnauthorized: true,
        ca: [await readFile(files.ca)],
        minVersion: version,
        maxVersion: version,
      });
      const session = connect(port, { ...trusted, servername: 'localhost' });

      const error = await failureOf(session);

      expect(error).toMatchObject({ failure: 'connect' });
      expect(String(error)).toMatch(/alert|ECONNRESET|closed/);
    },
  );

  it('rejects a server that does not negotiate HTTP/2', async () => {
    const server = createTlsServer(await identityOf('server'));
    const session = connect(await listen(server), { ...trusted, servername: 'localhost' });

    expect(await failureOf(session)).toMatchObject({
      failure: 'connect',
      message: 'the peer did not negotiate HTTP/2 (ALPN protocol h2)',
    });
  });

  it('rejects a server that only negotiates HTTP/1', async () => {
    const server = createTlsServer({ ...(await identityOf('server')), ALPNProtocols: ['http/1.1'] });
    const session = connect(await listen(server), { ...trusted, servername: 'localhost' });

    expect(await failureOf(session)).toMatchObject({
      failure: 'connect',
      code: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL',
    });
  });

  it('reports a server that does not speak TLS', async () => {
    const server = await RawHttp2Server.start((connection) => {
      connection.serve(() => {});
    });
    after(() => {
      server.stop();
    });
    const session = open({ address: server.address, tls: { ...trusted, servername: 'localhost' } });

    expect(await failureOf(session)).toMatchObject({ failure: 'connect', code: 'ERR_SSL_WRONG_VERSION_NUMBER' });
  });

  it('reports certificates that cannot be read', async () => {
    const session = open({ address: { host: '127.0.0.1', port: 1 }, tls: { servername: 'localhost', cert: 'no PEM' } });

    expect(await failureOf(session)).toMatchObject({
      failure: 'connect',
      code: expect.stringMatching(/^ERR_OSSL/) as string,
    });
  });
});
