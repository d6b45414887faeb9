import {
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
} from '@grpc/grpc-js';
import { asBytes, RANGE_PATH, WATCH_PATH } from './grpc-paths.js';
import { bytesField, numberField } from './wire.js';

const HEADER = bytesField(1, Buffer.concat([numberField(1, 1), numberField(2, 1), numberField(3, 1)]));
const CREATED = Buffer.concat([HEADER, numberField(3, 1)]);

/**
 * An etcd that is all watch: it answers that its store is empty at revision 1, accepts every watch, and sends those of `/b/` the given messages as
 * fast as they are taken, once so many others are there. Prints its port and what else it is told to.
 */
export function serveWatch(hello: object, messages: () => Iterable<Buffer>, others = 0): void {
  const server = new Server();
  const held: ServerDuplexStream<Buffer, Buffer>[] = [];
  let quiet = 0;
  const watch = (stream: ServerDuplexStream<Buffer, Buffer>, request: Buffer): void => {
    stream.write(CREATED);
    if (request.includes('/b/')) held.push(stream);
    else quiet += 1;
    if (quiet < others || held.length === 0) return;
    for (const ready of held.splice(0)) send(ready, messages()[Symbol.iterator]());
    quiet = 0;
  };
  server.addService(
    {
      watch: { path: WATCH_PATH, requestStream: true, responseStream: true, ...SERIALIZERS },
      range: { path: RANGE_PATH, requestStream: false, responseStream: false, ...SERIALIZERS },
    },
    {
      watch: (stream: ServerDuplexStream<Buffer, Buffer>) => {
        stream.once('data', (request: Buffer) => {
          watch(stream, request);
        });
        stream.on('error', () => undefined);
      },
      range: (_call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
        answer(null, HEADER);
      },
    },
  );
  server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_error, port) => {
    process.stdout.write(`${JSON.stringify({ port, ...hello })}\n`);
  });
}

function send(stream: ServerDuplexStream<Buffer, Buffer>, messages: Iterator<Buffer>): void {
  for (let next = messages.next(); next.done !== true && !stream.cancelled; next = messages.next()) {
    if (stream.write(next.value)) continue;
    stream.once('drain', () => {
      send(stream, messages);
    });
    return;
  }
}

const SERIALIZERS = {
  requestSerialize: asBytes,
  requestDeserialize: asBytes,
  responseSerialize: asBytes,
  responseDeserialize: asBytes,
};
