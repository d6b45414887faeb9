import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { rename } from 'node:fs/promises';
import { Client, credentials } from '@grpc/grpc-js';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { fill } from './fill.js';
import { asBytes, WATCH_PATH } from './grpc-paths.js';
import { eventsIn, inTransactions } from './recording.js';
import { bytesField, numberField } from './wire.js';

const KEYS = 1_000;

export interface RecordingOptions {
  readonly events: number;
  readonly eventsAMessage: number;
  readonly valueBytes: number;
}

/**
 * Writes `events` puts to a real etcd, `eventsAMessage` in a transaction, and keeps the messages that its watch answers with, each preceded by its length.
 */
export async function record(file: string, options: RecordingOptions): Promise<void> {
  await using etcd = await EtcdTestCluster.start({
    args: ['--snapshot-count=100000000', '--quota-backend-bytes=8000000000'],
  });
  const { events, eventsAMessage, valueBytes } = options;
  await fill(etcd.hosts, { puts: events, keys: KEYS, valueBytes, putsATransaction: eventsAMessage, writers: 64 });
  const out = createWriteStream(`${file}.part`);
  const client = new Client(new URL(etcd.first.endpoint).host, credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
  });
  const stream = client.makeBidiStreamRequest(WATCH_PATH, asBytes, asBytes);
  stream.write(
    bytesField(
      1,
      Buffer.concat([bytesField(1, Buffer.from('/b/')), bytesField(2, Buffer.from('/b0')), numberField(3, 1)]),
    ),
  );
  let seen = 0;
  for await (const message of stream as AsyncIterable<Buffer>) {
    for (const single of inTransactions(message, options.eventsAMessage)) {
      seen += eventsIn(single);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(single.length);
      if (!out.write(Buffer.concat([length, single]))) await once(out, 'drain');
    }
    if (seen >= options.events) break;
  }
  client.close();
  out.end();
  await once(out, 'finish');
  await rename(`${file}.part`, file);
}
