import { fieldsOf } from './wire.js';

/** Field of etcdserverpb.WatchResponse. */
const EVENT = 11;

export const eventsIn = (message: Buffer): number =>
  [...fieldsOf(message)].filter(({ number }) => number === EVENT).length;

/** The messages of a recording, each preceded by its length in the file. */
export function* recorded(file: Buffer): Generator<Buffer> {
  for (let position = 0; position < file.length;) {
    const length = file.readUInt32BE(position);
    yield file.subarray(position + 4, position + 4 + length);
    position += 4 + length;
  }
}

/** A watch that catches up gets up to 1,000 revisions in a message; live it gets them one by one, and so does the replay. */
export function* inTransactions(message: Buffer, eventsAMessage: number): Generator<Buffer> {
  const fields = [...fieldsOf(message)];
  const events = fields.filter(({ number }) => number === EVENT).map(({ whole }) => whole);
  if (events.length === 0) return;
  const head = fields.filter(({ number }) => number !== EVENT).map(({ whole }) => whole);
  for (let start = 0; start < events.length; start += eventsAMessage) {
    yield Buffer.concat([...head, ...events.slice(start, start + eventsAMessage)]);
  }
}
