import { readFileSync } from 'node:fs';
import { messagesOf } from './recording.js';
import { serveWatch } from './watch-server.js';

/**
 * Replays recorded watch messages in a separate process, so that the server's work is not measured with the client's.
 * Usage: `replay-server FILE [OTHERS]`. Prints its port and the number of messages, and sends them when `OTHERS`
 * watches of other prefixes exist.
 */
const [file = '', others = '0'] = process.argv.slice(2);
const messages = [...messagesOf(readFileSync(file))];

serveWatch({ messages: messages.length }, () => messages, Number(others));
