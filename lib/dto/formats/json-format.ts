import type { DocumentFormat } from './document-format.js';
import { rejected, textOf } from './document-text.js';
import { findUnsafeIntegers, withExponents } from './json-integers.js';

/** JSON without duplicate names in an object, because parsers disagree about their meaning. */
export const JSON_FORMAT = {
  read(bytes) {
    const text = textOf(bytes);
    if (text === undefined) return rejected('utf8');
    try {
      return {
        ok: true,
        value: JSON.parse(text) as unknown,
        isUnambiguous: (members) => hasUniqueNames(text, members),
        findUnsafeIntegers: () => findUnsafeIntegers(text),
      };
    } catch {
      return rejected('json');
    }
  },
  write: (document) => Buffer.from(withExponents(JSON.stringify(document))),
} satisfies DocumentFormat;

/** Every colon outside a string belongs to one property. Counting all colons is faster and nearly always sufficient. */
function hasUniqueNames(text: string, members: number): boolean {
  let colons = 0;
  for (let at = text.indexOf(':'); at !== -1; at = text.indexOf(':', at + 1)) colons += 1;
  return colons === members || countNames(text) === members;
}

/** Counts the colons outside strings. */
function countNames(text: string): number {
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
