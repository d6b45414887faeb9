import { type IncomingHttpHeaders, performServerHandshake, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer } from 'node:net';
import { FrameConnection } from './frame-connection.js';
import { RANGE_PATH, WATCH_PATH } from './grpc-paths.js';
import { bytesField, numberField } from './wire.js';

const HEADER = bytesField(1, Buffer.concat([numberField(1, 1), numberField(2, 1), numberField(3, 1)]));
/** Tag of `create_request` in a `WatchRequest`. */
const CREATE = 0x0a;
const RESPONSE = { ':status': 200, 'content-type': 'application/grpc' };
const OK = { 'grpc-status': '0' };
const UNIMPLEMENTED = { 'grpc-status': '12' };

/**
 * A minimal etcd server for watches. It reports an empty store at revision 1, accepts every watch, also several on one
 * stream, and sends the given messages to watches of `/b/` as fast as they are read, once `others` watches of other
 * prefixes exist. The messages are those of the watch 0. Prints its port and the properties of `hello`.
 */
export function serveWatch(hello: object, messages: () => Iterable<Buffer>, others = 0): void {
  const waitingWatches: (() => void)[] = [];
  let otherWatches = 0;
  const watch = (connection: FrameConnection, stream: ServerHttp2Stream, request: Buffer): void => {
    const { id = 0 } = stream;
    if (request.includes('/b/'))
      waitingWatches.push(() => {
        connection.send(id, messages(), () => stream.destroyed);
      });
    else otherWatches += 1;
    if (otherWatches < others || waitingWatches.length === 0) return;
    for (const send of waitingWatches.splice(0)) send();
    otherWatches = 0;
  };
  const serve = (connection: FrameConnection, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void => {
    stream.on('error', () => undefined);
    const { ':path': path } = headers;
    if (path === WATCH_PATH) {
      stream.respond(RESPONSE);
      let otherIds = 0;
      onMessages(stream, (request) => {
        if (request[0] !== CREATE) return;
        const created = createdAs(request.includes('/b/') ? 0 : (otherIds += 1));
        connection.sent(stream.id ?? 0, created);
        stream.write(framed(created), () => {
          watch(connection, stream, request);
        });
      });
    } else if (path === RANGE_PATH) {
      stream.respond(RESPONSE, { waitForTrailers: true });
      stream.on('wantTrailers', () => {
        stream.sendTrailers(OK);
      });
      connection.sent(stream.id ?? 0, HEADER);
      stream.end(framed(HEADER));
    } else {
      stream.respond({ ...RESPONSE, ...UNIMPLEMENTED }, { endStream: true });
    }
  };
  const server = createServer((socket) => {
    const connection = new FrameConnection(socket);
    performServerHandshake(connection).on('stream', (stream, headers) => {
      serve(connection, stream, headers);
    });
  });
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo;
    process.stdout.write(`${JSON.stringify({ port, ...hello })}\n`);
  });
}

const createdAs = (watchId: number): Buffer => Buffer.concat([HEADER, numberField(2, watchId), numberField(3, 1)]);

/** Calls the listener with each gRPC message of the stream. */
function onMessages(stream: ServerHttp2Stream, listener: (message: Buffer) => void): void {
  let unread = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    unread = Buffer.concat([unread, chunk]);
    while (unread.length >= 5) {
      const end = 5 + unread.readUInt32BE(1);
      if (unread.length < end) return;
      listener(unread.subarray(5, end));
      unread = unread.subarray(end);
    }
  });
}

/** Adds gRPC's prefix for an uncompressed message. */
function framed(message: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}
