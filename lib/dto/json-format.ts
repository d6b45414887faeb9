import type { DocumentFormat } from './document-format.js';
import { failed, textOf } from './document-text.js';

/** JSON, of which a name given twice is refused: parsers differ on what it means. */
export const JSON_FORMAT: DocumentFormat = {
  read(bytes) {
    const text = textOf(bytes);
    if (text === undefined) return failed('utf8');
    try {
      return { ok: true, value: JSON.parse(text) as unknown, named: membersIn(bytes) };
    } catch {
      return failed('json');
    }
  },
  write: (document) => Buffer.from(JSON.stringify(document)),
};

/** Colons outside strings: one for each property, however often it is named. */
function membersIn(bytes: Buffer): number {
  let members = 0;
  let isInString = false;
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index];
    if (byte === QUOTE) isInString = !isInString;
    else if (byte === BACKSLASH) index += 1;
    else if (byte === COLON && !isInString) members += 1;
  }
  return members;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
