import { documentOf } from './contenders/database-config.js';
import { serveWatch } from './watch-server.js';
import { bytesField, numberField } from './wire.js';

/**
 * Generates traffic as fast as the client accepts it: messages of one revision with 100 puts and deletes of 1,000 keys
 * under `/b/`. Usage: `traffic-server EVENTS`. Prints its port.
 */
const events = Number(process.argv[2]);
const EVENTS_A_REVISION = 100;
const KEYS = 1_000;

const keys = Array.from({ length: KEYS }, (_, index) => bytesField(1, Buffer.from(`/b/${index}`)));
const values = Array.from({ length: KEYS }, (_, index) => bytesField(5, Buffer.from(documentOf(index))));

serveWatch({}, function* () {
  for (let revision = 2; (revision - 2) * EVENTS_A_REVISION < events; revision += 1) yield message(revision);
});

function message(revision: number): Buffer {
  const head = bytesField(1, Buffer.concat([numberField(1, 1), numberField(2, 1), numberField(3, revision)]));
  const modified = numberField(3, revision);
  const written = Buffer.concat([numberField(2, revision), modified, numberField(4, 1)]);
  const first = revision * EVENTS_A_REVISION;
  const changes = Array.from({ length: EVENTS_A_REVISION }, (_, offset) => {
    const index = (first + offset * 7) % KEYS;
    const key = keys[index] as Buffer;
    // Every tenth event is a deletion.
    if (offset % 10 === 9)
      return bytesField(11, Buffer.concat([numberField(1, 1), bytesField(2, Buffer.concat([key, modified]))]));
    return bytesField(11, bytesField(2, Buffer.concat([key, written, values[(index + revision) % KEYS] as Buffer])));
  });
  return Buffer.concat([head, ...changes]);
}
