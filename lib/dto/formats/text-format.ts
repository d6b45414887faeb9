import type { DocumentFormat } from './document-format.js';
import { rejected, textOf } from './document-text.js';

/** Text without any structure: the document is `{ value: text }`, so its class has one property, `value`. */
export const TEXT_FORMAT: DocumentFormat = {
  read(bytes) {
    const text = textOf(bytes);
    return text === undefined ? rejected('utf8') : { ok: true, value: { value: text } };
  },
  write(document) {
    const { value, ...others } = document;
    const [other] = Object.keys(others);
    if (other !== undefined) return rejected('text', other);
    if (!TEXTUAL.has(typeof value)) return rejected('text', 'value');
    const text = String(value);
    // UTF-8 cannot represent a lone surrogate: another text would be read back.
    return /\p{Cs}/u.test(text) ? rejected('utf8', 'value') : Buffer.from(text);
  },
};

const TEXTUAL: ReadonlySet<string> = new Set(['string', 'number', 'boolean']);
