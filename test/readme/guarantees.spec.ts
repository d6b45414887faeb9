import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const DOCUMENT = readFileSync('GUARANTEES.md', 'utf8');
const PROOFS = Array.from(DOCUMENT.matchAll(/^- `(test\/[^`]+)`: (.+)$/gm), ([, file = '', name = '']) => ({
  file,
  name,
}));

describe('GUARANTEES.md', () => {
  it('gives every promise at least one test', () => {
    const promises = DOCUMENT.split(/^## \d+\. /m).slice(1);

    expect(promises.length).toBe(10);
    for (const promise of promises) expect(promise).toMatch(/^- `test\//m);
  });

  it.each(PROOFS)('names a test that exists: $file, $name', ({ file, name }) => {
    expect(existsSync(file)).toBe(true);
    expect(readFileSync(file, 'utf8')).toContain(name);
  });
});
