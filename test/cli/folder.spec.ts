import { isAbsolute, join, normalize } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CliError } from '../../lib/cli/cli.error.js';
import { fileOfKey, keyOfFile } from '../../lib/cli/folder.js';

const PREFIX = '/shop/';
const PART = fc.oneof(
  fc.constantFrom('..', '.', '...', 'a.json', '%2E', '%', '*', '\\', 'CON:', 'é', '\u0000', '~', ' '),
  fc.string({ minLength: 1 }).filter((part) => !part.includes('/') && Buffer.from(part).toString() === part),
);

describe('the file of a key', () => {
  it('is below the folder, and names that key only', () => {
    fc.assert(
      fc.property(fc.array(PART, { minLength: 1, maxLength: 4 }), (parts) => {
        const key = PREFIX + parts.join('/');
        const file = fileOfKey(key, PREFIX, 'json');
        expect(isAbsolute(file)).toBe(false);
        expect(normalize(join('folder', file)).startsWith('folder')).toBe(true);
        expect(file.split(/[\\/]/)).not.toContain('..');
        expect(keyOfFile(file, PREFIX)).toBe(key);
      }),
    );
  });

  it.each(['/shop/', '/shop/a//b', '/shop/a/'])('does not exist for %j', (key) => {
    expect(() => fileOfKey(key, PREFIX, 'yaml')).toThrow(CliError);
  });

  it('needs the slash that ends a prefix', () => {
    expect(() => fileOfKey('/shop/a', '/shop', 'yaml')).toThrow('end the prefix with a slash: "/shop/"');
  });

  it('has no key if an escape sequence is invalid', () => {
    expect(() => keyOfFile('a%G.json', PREFIX)).toThrow('the file name "a%G.json" has an invalid escape sequence');
  });
});
