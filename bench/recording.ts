import { fieldsOf } from './wire.js';

/** Field of etcdserverpb.WatchResponse. */
const EVENT = 11;

export const eventsIn = (message: Buffer): number =>
  [...fieldsOf(message)].filter(({ number }) => number === EVENT).length;

/** Reads the messages of a recording, in which each is preceded by its length. */
export function* messagesOf(file: Buffer): Generator<Buffer> {
  for (let position = 0; position < file.length;) {
    const length = file.readUInt32BE(position);
    yield file.subarray(position + 4, position + 4 + length);
    position += 4 + length;
  }
}

/**
 * Splits a message into one message per transaction. etcd batches revisions for a watch that catches up, but not live.
 */
export function* inTransactions(message: Buffer, eventsAMessage: number): Generator<Buffer> {
  const fields = [...fieldsOf(message)];
  const events = fields.filter(({ number }) => number === EVENT).map(({ whole }) => whole);
  if (events.length === 0) return;
  const head = fields.filter(({ number }) => number !== EVENT).map(({ whole }) => whole);
  for (let start = 0; start < events.length; start += eventsAMessage) {
    yield Buffer.concat([...head, ...events.slice(start, start + eventsAMessage)]);
  }
}
