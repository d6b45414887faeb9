import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const DOCUMENT = readFileSync('GUARANTEES.md', 'utf8');
const TESTS = Array.from(DOCUMENT.matchAll(/^- `(test\/[^`]+)`: (.+)$/gm), ([, file = '', name = '']) => ({
  file,
  name,
}));

describe('GUARANTEES.md', () => {
  it('links every guarantee to at least one test', () => {
    const guarantees = DOCUMENT.split(/^## \d+\. /m).slice(1);

    expect(guarantees.length).toBe(10);
    for (const guarantee of guarantees) expect(guarantee).toMatch(/^- `test\//m);
  });

  it.each(TESTS)('names an existing test: $file, $name', ({ file, name }) => {
    expect(existsSync(file)).toBe(true);
    expect(readFileSync(file, 'utf8')).toContain(name);
  });
});
