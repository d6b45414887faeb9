import { describe, expect, it } from 'vitest';
import { escaped, printable, quoted } from '../../lib/foreign/foreign-text.js';

describe('printable', () => {
  it('keeps ordinary text of any language', () => {
    expect(printable('/app/db "main" C:\\x')).toBe('/app/db "main" C:\\x');
    expect(printable('/größe/設定/🚀')).toBe('/größe/設定/🚀');
  });

  it.each([
    ['a line break', 'a\r\nb\tc', 'a\\r\\nb\\tc'],
    ['a control character', 'a\0\x1b[31m\x7f', 'a\\u0000\\u001b[31m\\u007f'],
    ['a C1 control character', 'a\x85\x9b', 'a\\u0085\\u009b'],
    ['a line or paragraph separator', 'a\u2028b\u2029', 'a\\u2028b\\u2029'],
    ['a bidirectional control', 'a\u202eb\u2066', 'a\\u202eb\\u2066'],
    ['an invisible character', 'a\u200b\ufeff\u{e0041}', 'a\\u200b\\ufeff\\u{e0041}'],
    ['a lone surrogate', 'a\ud83d \ude80', 'a\\ud83d \\ude80'],
  ])('escapes %s', (_, text, expected) => {
    expect(printable(text)).toBe(expected);
    expect(quoted(text)).toBe(`"${expected}"`);
    expect(escaped(text)).toBe(expected);
  });

  it('cuts a long text, but no character in two', () => {
    expect(printable('x'.repeat(200_000))).toBe(`${'x'.repeat(300)}...`);
    expect(printable(`${'x'.repeat(299)}🚀`)).toBe(`${'x'.repeat(299)}...`);
    expect(quoted('"'.repeat(400))).toBe(`"${'\\"'.repeat(300)}..."`);
  });

  it('escapes what was escaped before only once', () => {
    expect(escaped(escaped('a\n\u202eb'))).toBe('a\\n\\u202eb');
  });
});

describe('quoted', () => {
  it('escapes quotes and backslashes, so that a text cannot end its quotation', () => {
    expect(quoted('/app/"db" at \\')).toBe('"/app/\\"db\\" at \\\\"');
  });
});
