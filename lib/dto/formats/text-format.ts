import type { DocumentFormat } from './document-format.js';
import { failed, textOf } from './document-text.js';

/** Any text, byte for byte: the document is `{ value: text }`, so its class has one property, `value`. */
export const TEXT_FORMAT: DocumentFormat = {
  read(bytes) {
    const text = textOf(bytes);
    return text === undefined ? failed('utf8') : { ok: true, value: { value: text } };
  },
  write(document) {
    const { value, ...others } = document;
    const [other] = Object.keys(others);
    if (other !== undefined) return failed('text', other);
    return TEXTUAL.has(typeof value) ? Buffer.from(String(value)) : failed('text', 'value');
  },
};

const TEXTUAL: ReadonlySet<string> = new Set(['string', 'number', 'boolean']);
