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
 * fast as they are taken. Prints its port and what else it is told to.
 */
export function serveWatch(hello: object, messages: () => Iterable<Buffer>): void {
  const server = new Server();
  server.addService(
    {
      watch: { path: WATCH_PATH, requestStream: true, responseStream: true, ...SERIALIZERS },
      range: { path: RANGE_PATH, requestStream: false, responseStream: false, ...SERIALIZERS },
    },
    {
      watch: (stream: ServerDuplexStream<Buffer, Buffer>) => {
        stream.once('data', (request: Buffer) => {
          stream.write(CREATED);
          if (request.includes('/b/')) send(stream, messages()[Symbol.iterator]());
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
