/** Longest text that a message quotes, in characters. A longer one is cut and ends with `...`. */
const MAX_CHARS = 300;

/** Number of names that a message lists. */
const MAX_NAMES = 10;

const PLAIN = /^[ -~]*$/;
const PLAIN_AND_UNQUOTED = /^[ !#-[\]-~]*$/;
/** Control characters (C0, C1), line and paragraph separators, invisible and bidirectional formats, lone surrogates. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const SHORT_ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Returns a text that the library did not write for use in a message, log line or metric: cut, and on one line without
 * invisible characters. The text may be a key, a property name, the name of a class or method, or the answer of a server.
 */
export const printable = (text: string): string => cut(text, escaped);

/** Lists names in quotes for a message; after ten of them, only the number of the rest. */
export function someOf(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMES).map((name) => quoted(name));
  const rest = names.length - shown.length;
  return rest > 0 ? `${shown.join(', ')} and ${rest} more` : shown.join(', ');
}

/** Like `printable`, in double quotes. Quotes and backslashes of the text are escaped as in JSON. */
export function quoted(text: string): string {
  if (text.length <= MAX_CHARS && PLAIN_AND_UNQUOTED.test(text)) return `"${text}"`;
  return `"${cut(text, (shown) => escaped(shown.replace(/["\\]/g, '\\$&')))}"`;
}

/** Escapes what would break a line or hide in it, without cutting: text that compares as different stays different. */
export const escaped = (text: string): string => (PLAIN.test(text) ? text : text.replace(UNSAFE, escapeOf));

/** Escapes as JavaScript does: `\n`, `\u202e`, `\u{e0001}`. */
function escapeOf(character: string): string {
  const hex = (character.codePointAt(0) ?? 0).toString(16);
  return SHORT_ESCAPES[character] ?? (hex.length > 4 ? `\\u{${hex}}` : `\\u${hex.padStart(4, '0')}`);
}

/** Never cuts a surrogate pair in two. */
function cut(text: string, escape: (shown: string) => string): string {
  if (text.length <= MAX_CHARS) return escape(text);
  return `${escape(text.slice(0, isHighSurrogate(text.charCodeAt(MAX_CHARS - 1)) ? MAX_CHARS - 1 : MAX_CHARS))}...`;
}

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;
