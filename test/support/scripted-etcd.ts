import { once } from 'node:events';
import { createServer, type Http2Server, type Http2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { ProtobufReader } from '../../lib/etcd/codec/protobuf-reader.js';
import { ProtobufWriter } from '../../lib/etcd/codec/protobuf-writer.js';
import { grpcMessage } from './frames.js';

const GRPC = { ':status': 200, 'content-type': 'application/grpc' };
const GRPC_PREFIX_BYTES = 5;
const CLUSTER_ID = 1;

/** The key of a Range request and of a create of a watch, and the id of the latter. */
export interface ScriptedRequest {
  readonly key: string;
  readonly watchId: number;
}

export interface ScriptedKey {
  readonly key: string;
  readonly revision: number;
}

export interface EtcdScript {
  /** Answers a page. @default an empty one */
  readonly range?: (request: ScriptedRequest) => Buffer | Promise<Buffer>;
  /** Answers a create. @default `created` */
  readonly watch?: (stream: ScriptedStream, request: ScriptedRequest) => void;
}

/** A watch stream of a scripted server. */
export class ScriptedStream {
  constructor(private readonly stream: ServerHttp2Stream) {}

  get isOver(): boolean {
    return this.stream.destroyed || this.stream.closed;
  }

  send(...messages: Buffer[]): void {
    if (!this.isOver) this.stream.write(Buffer.concat(messages.map((message) => grpcMessage(message))));
  }

  /** Sends bytes as fast as the client reads them, until the stream is over. */
  async flood(bytes: Buffer): Promise<void> {
    while (!this.isOver) if (!this.stream.write(bytes)) await Promise.race([this.#next('drain'), this.#next('close')]);
  }

  end(): void {
    this.stream.end();
  }

  #next(event: string): Promise<unknown> {
    return new Promise((resolve) => this.stream.once(event, resolve));
  }
}

/** A server that speaks gRPC and answers as a script says, as no etcd does. */
export class ScriptedEtcd implements Disposable {
  /** Times of the watch streams that clients opened, by `performance.now()`. */
  readonly watchStreams: number[] = [];
  /** Number of Range requests. */
  pages = 0;
  readonly #server: Http2Server = createServer();
  readonly #sessions = new Set<Http2Session>();

  private constructor(private readonly script: EtcdScript) {
    this.#server.on('session', (session) => {
      this.#sessions.add(session);
      session.on('error', () => undefined);
    });
    this.#server.on('stream', (stream, { ':path': path = '' }) => {
      stream.on('error', () => undefined);
      if (path.endsWith('/Watch')) this.#watch(stream);
      else this.#answer(stream, path);
    });
  }

  static async start(script: EtcdScript): Promise<ScriptedEtcd> {
    const server = new ScriptedEtcd(script);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  [Symbol.dispose](): void {
    this.#server.close();
    for (const session of this.#sessions) session.destroy();
  }

  #answer(stream: ServerHttp2Stream, path: string): void {
    onMessages(stream, (request) => {
      stream.respond(GRPC, { waitForTrailers: true });
      stream.on('wantTrailers', () => {
        stream.sendTrailers({ 'grpc-status': '0' });
      });
      const answer = path.endsWith('/Range') ? this.#range(request) : statusResponse();
      void Promise.resolve(answer).then((message) => stream.end(grpcMessage(message)));
    });
  }

  #range(request: Buffer): Buffer | Promise<Buffer> {
    this.pages += 1;
    return this.script.range?.(readRequest(request)) ?? rangeResponse([]);
  }

  #watch(stream: ServerHttp2Stream): void {
    this.watchStreams.push(performance.now());
    stream.respond(GRPC, { waitForTrailers: true });
    stream.on('wantTrailers', () => {
      stream.sendTrailers({ 'grpc-status': '0' });
    });
    const scripted = new ScriptedStream(stream);
    const {
      watch = (to, { watchId }) => {
        to.send(created(watchId));
      },
    } = this.script;
    onMessages(stream, (message) => {
      const reader = new ProtobufReader(message);
      if (reader.tag() === CREATE)
        watch(
          scripted,
          reader.nested(() => readRequest(message, reader)),
        );
    });
  }
}

/** etcdserverpb.RangeResponse; `count` is the number of keys that the range has in all. */
export function rangeResponse(
  keys: readonly ScriptedKey[],
  { more = false, count = keys.length, revision = 10 } = {},
): Buffer {
  const writer = new ProtobufWriter().message(1, header(revision));
  for (const key of keys) writer.message(2, keyValue(key));
  return writer.bool(3, more).uint(4, count).finish();
}

export const created = (watchId: number, revision = 10): Buffer =>
  new ProtobufWriter().message(1, header(revision)).uint(2, watchId).bool(3, true).finish();

export function events(watchId: number, keys: readonly ScriptedKey[]): Buffer {
  const writer = new ProtobufWriter().message(1, header(keys.at(-1)?.revision ?? 10)).uint(2, watchId);
  for (const key of keys) writer.message(11, (event) => event.message(2, keyValue(key)));
  return writer.finish();
}

function statusResponse(): Buffer {
  return new ProtobufWriter().message(1, header(10)).text(2, '3.5.30').finish();
}

const header = (revision: number) => (writer: ProtobufWriter) =>
  writer.uint(1, CLUSTER_ID).uint(2, 1).uint(3, revision);

const keyValue =
  ({ key, revision }: ScriptedKey) =>
  (writer: ProtobufWriter) =>
    writer.text(1, key).uint(2, revision).uint(3, revision).uint(4, 1).text(5, 'x');

// Tags of etcd's api/etcdserverpb/rpc.proto, `fieldNumber << 3 | wireType`.
const CREATE = 0x0a;
const KEY = 0x0a;
const WATCH_ID = 0x38;

/** RangeRequest and WatchCreateRequest have the key in the same field. */
function readRequest(bytes: Buffer, reader = new ProtobufReader(bytes)): ScriptedRequest {
  let key = '';
  let watchId = 0;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === KEY) key = reader.latin1();
    else if (tag === WATCH_ID) watchId = reader.uint();
    else reader.skip(tag);
  }
  return { key, watchId };
}

function onMessages(stream: ServerHttp2Stream, onMessage: (message: Buffer) => void): void {
  let unread = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    unread = Buffer.concat([unread, chunk]);
    while (unread.length >= GRPC_PREFIX_BYTES) {
      const end = GRPC_PREFIX_BYTES + unread.readUInt32BE(1);
      if (unread.length < end) return;
      onMessage(unread.subarray(GRPC_PREFIX_BYTES, end));
      unread = unread.subarray(end);
    }
  });
}
