import { readFileSync } from 'node:fs';
import {
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
} from '@grpc/grpc-js';
import { asBytes } from './grpc-paths.js';
import { recorded } from './recording.js';
import { bytesField, numberField } from './wire.js';

/**
 * Replays recorded watch messages as bytes, as fast as they are taken: a process of its own, so that no server's work is measured with the client's.
 * To a Range it answers that the store is empty at revision 1. Usage: `replay-server FILE`; prints its port.
 */
const [file = ''] = process.argv.slice(2);
const messages = [...recorded(readFileSync(file))];
const header = Buffer.concat([numberField(1, 1), numberField(2, 1), numberField(3, 1)]);

const server = new Server();
server.addService(
  {
    watch: { path: '/etcdserverpb.Watch/Watch', requestStream: true, responseStream: true, ...serializers() },
    range: { path: '/etcdserverpb.KV/Range', requestStream: false, responseStream: false, ...serializers() },
  },
  {
    watch: (stream: ServerDuplexStream<Buffer, Buffer>) => {
      stream.once('data', () => {
        stream.write(Buffer.concat([bytesField(1, header), numberField(3, 1)]));
        replay(stream);
      });
      stream.on('error', () => undefined);
    },
    range: (_call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
      answer(null, bytesField(1, header));
    },
  },
);
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_error, port) => {
  process.stdout.write(`${JSON.stringify({ port, messages: messages.length })}\n`);
});

function replay(stream: ServerDuplexStream<Buffer, Buffer>): void {
  let index = 0;
  const more = (): void => {
    while (index < messages.length && !stream.cancelled) {
      index += 1;
      if (!stream.write(messages[index - 1] as Buffer)) {
        stream.once('drain', more);
        return;
      }
    }
  };
  more();
}

function serializers() {
  return {
    requestSerialize: asBytes,
    requestDeserialize: asBytes,
    responseSerialize: asBytes,
    responseDeserialize: asBytes,
  };
}
