import { once } from 'node:events';
import {
  connect,
  constants,
  createSecureServer,
  createServer,
  type ClientHttp2Session,
  type Http2SecureServer,
  type Http2Server,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';

export interface GrpcReverseProxyOptions {
  /** Limit of concurrent streams per connection that the proxy announces. @default none */
  readonly maxConcurrentStreams?: number;
  /** The proxy terminates TLS with this certificate. @default no TLS */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer };
  /** The proxy resets streams that carry no data for this time, in milliseconds. @default never */
  readonly idleStreamMs?: number;
}

/** One request that a client has sent through the proxy. */
export interface ForwardedRequest {
  readonly path: string;
  /** Bytes of the client so far, with the prefixes of gRPC. */
  readonly chunks: Buffer[];
  readonly stream: ServerHttp2Stream;
}

/** HTTP/2 proxy that forwards each stream separately, so that it can fail one stream of a connection. */
export class GrpcReverseProxy implements Disposable {
  readonly requests: ForwardedRequest[] = [];
  /** Number of connections accepted so far. */
  accepted = 0;
  /** Highest number of streams that were open at the same time. */
  maxOpenStreams = 0;
  readonly #server: Http2Server | Http2SecureServer;
  readonly #clients = new Set<Http2Session>();
  readonly #options: GrpcReverseProxyOptions;
  readonly #sessions = new Set<Http2Session>();
  readonly #open = new Set<ServerHttp2Stream>();

  private constructor(target: string, options: GrpcReverseProxyOptions) {
    const { maxConcurrentStreams, tls } = options;
    const settings = maxConcurrentStreams === undefined ? {} : { maxConcurrentStreams };
    this.#options = options;
    this.#server = tls ? createSecureServer({ settings, ...tls }) : createServer({ settings });
    this.#server.on('session', (session) => {
      this.accepted += 1;
      const upstream = connect(target);
      this.#keep(session);
      this.#keep(upstream);
      this.#clients.add(session);
      session.once('close', () => this.#clients.delete(session));
      session.once('close', () => {
        upstream.destroy();
      });
      upstream.once('close', () => {
        session.destroy();
      });
      session.on('stream', (stream, headers) => {
        this.#forward(stream, headers, upstream);
      });
    });
  }

  static async start(target: string, options: GrpcReverseProxyOptions = {}): Promise<GrpcReverseProxy> {
    const proxy = new GrpcReverseProxy(target, options);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get endpoint(): string {
    return `${this.#options.tls ? 'https' : 'http'}://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Requests of a method, for example `Range`. */
  requestsOf(method: string): ForwardedRequest[] {
    return this.requests.filter(({ path }) => path.endsWith(`/${method}`));
  }

  /** Resets the open streams of a method. Returns their number. */
  reset(method: string): number {
    const open = this.requestsOf(method).filter(({ stream }) => !stream.closed);
    for (const { stream } of open) stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    return open.length;
  }

  /** Sends GOAWAY to the clients: open streams may finish, new ones belong on another connection. */
  goAway(): void {
    for (const session of this.#clients) session.goaway(constants.NGHTTP2_NO_ERROR);
  }

  stop(): void {
    this.#server.close();
    for (const session of this.#sessions) session.destroy();
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  #keep(session: Http2Session): void {
    session.on('error', () => undefined);
    this.#sessions.add(session);
    session.once('close', () => this.#sessions.delete(session));
  }

  #forward(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, upstream: ClientHttp2Session): void {
    const chunks: Buffer[] = [];
    this.requests.push({ path: headers[':path'] ?? '', chunks, stream });
    this.#open.add(stream);
    this.maxOpenStreams = Math.max(this.maxOpenStreams, this.#open.size);
    const { idleStreamMs } = this.#options;
    if (idleStreamMs !== undefined)
      stream.setTimeout(idleStreamMs, () => {
        stream.close(constants.NGHTTP2_CANCEL);
      });
    const request = upstream.request(headers);
    let trailers: IncomingHttpHeaders = {};
    request.on('response', (response, flags) => {
      if (stream.destroyed) return;
      const isEnd = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      stream.respond(response, isEnd ? { endStream: true } : { waitForTrailers: true });
    });
    request.on('trailers', (received: IncomingHttpHeaders) => {
      trailers = received;
    });
    stream.on('wantTrailers', () => {
      stream.sendTrailers(trailers);
    });
    stream.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      request.write(chunk);
    });
    stream.on('end', () => request.end());
    request.on('data', (chunk: Buffer) => {
      if (!stream.destroyed) stream.write(chunk);
    });
    request.on('end', () => {
      if (!stream.destroyed) stream.end();
    });
    stream.on('error', () => undefined);
    request.on('error', () => undefined);
    stream.once('close', () => {
      this.#open.delete(stream);
      request.close(constants.NGHTTP2_CANCEL);
    });
    request.once('close', () => {
      if (request.rstCode !== constants.NGHTTP2_NO_ERROR) stream.close(request.rstCode);
    });
  }
}
