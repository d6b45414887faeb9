import type { DocumentFormat } from './document-format.js';
import { failed, textOf } from './document-text.js';

/** JSON, of which a name given twice is refused: parsers differ on what it means. */
export const JSON_FORMAT: DocumentFormat = {
  read(bytes) {
    const text = textOf(bytes);
    if (text === undefined) return failed('utf8');
    try {
      return { ok: true, value: JSON.parse(text) as unknown, isUnambiguous: (members) => namesOnce(text, members) };
    } catch {
      return failed('json');
    }
  },
  write: (document) => Buffer.from(JSON.stringify(document)),
};

/** A colon each that is not in a string names a property. Counting all of them is quick, and nearly always enough. */
function namesOnce(text: string, members: number): boolean {
  let colons = 0;
  for (let at = text.indexOf(':'); at !== -1; at = text.indexOf(':', at + 1)) colons += 1;
  return colons === members || namesIn(text) === members;
}

/** Colons outside strings: one for each property, however often it is named. */
function namesIn(text: string): number {
  let names = 0;
  let isInString = false;
  for (let index = 0; index < text.length; index += 1) {
    const char = text.charCodeAt(index);
    if (char === QUOTE) isInString = !isInString;
    else if (char === BACKSLASH) index += 1;
    else if (char === COLON && !isInString) names += 1;
  }
  return names;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
