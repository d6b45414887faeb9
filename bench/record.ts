import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { rename } from 'node:fs/promises';
import { Client, credentials } from '@grpc/grpc-js';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { asBytes, TXN_PATH, WATCH_PATH } from './grpc-paths.js';
import { eventsIn, inTransactions } from './recording.js';
import { bytesField, numberField } from './wire.js';

const KEYS = 1_000;
const WRITERS = 128;

export interface RecordingOptions {
  readonly events: number;
  readonly eventsAMessage: number;
  readonly valueBytes: number;
}

/**
 * Writes `events` puts to a real etcd, `eventsAMessage` per transaction, and records the messages of its watch, each
 * preceded by its length. It uses undecoded messages, because etcd3 is too slow for this amount.
 */
export async function record(file: string, options: RecordingOptions): Promise<void> {
  await using etcd = await EtcdTestCluster.start({
    args: ['--snapshot-count=100000000', '--quota-backend-bytes=8000000000'],
  });
  const client = new Client(new URL(etcd.first.endpoint).host, credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
  });
  await Promise.all([recordMessages(client, file, options), write(client, options)]);
  client.close();
}

async function recordMessages(
  client: Client,
  file: string,
  { events, eventsAMessage }: RecordingOptions,
): Promise<void> {
  const out = createWriteStream(`${file}.part`);
  const stream = client.makeBidiStreamRequest(WATCH_PATH, asBytes, asBytes);
  stream.write(
    bytesField(
      1,
      Buffer.concat([bytesField(1, Buffer.from('/b/')), bytesField(2, Buffer.from('/b0')), numberField(3, 1)]),
    ),
  );
  let seen = 0;
  for await (const message of stream as AsyncIterable<Buffer>) {
    for (const single of inTransactions(message, eventsAMessage)) {
      seen += eventsIn(single);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(single.length);
      if (!out.write(Buffer.concat([length, single]))) await once(out, 'drain');
    }
    if (seen >= events) break;
  }
  out.end();
  await once(out, 'finish');
  await rename(`${file}.part`, file);
}

async function write(client: Client, { events, eventsAMessage, valueBytes }: RecordingOptions): Promise<void> {
  const value = bytesField(2, Buffer.alloc(valueBytes, 'v'));
  // RequestOp.request_put in TxnRequest.success.
  const puts = Array.from({ length: KEYS }, (_, index) =>
    bytesField(
      2,
      bytesField(2, Buffer.concat([bytesField(1, Buffer.from(`/b/${String(index).padStart(6, '0')}`)), value])),
    ),
  );
  let next = 0;
  const writer = async (): Promise<void> => {
    while (next < events) {
      const first = next;
      next = Math.min(events, next + eventsAMessage);
      const operations = Array.from({ length: next - first }, (_, index) => puts[(first + index) % KEYS] as Buffer);
      await commit(client, Buffer.concat(operations));
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
}

const commit = (client: Client, transaction: Buffer): Promise<void> =>
  new Promise((resolve, reject) => {
    client.makeUnaryRequest(TXN_PATH, asBytes, asBytes, transaction, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
