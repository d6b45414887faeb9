import { readFileSync } from 'node:fs';
import { recorded } from './recording.js';
import { serveWatch } from './watch-server.js';

/**
 * Replays recorded watch messages as bytes: a process of its own, so that no server's work is measured with the client's. Usage:
 * `replay-server FILE [OTHERS]`; prints its port and how many messages there are. They are sent when so many watches of other prefixes are there.
 */
const [file = '', others = '0'] = process.argv.slice(2);
const messages = [...recorded(readFileSync(file))];

serveWatch({ messages: messages.length }, () => messages, Number(others));
