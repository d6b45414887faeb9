import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const GUARANTEES = readFileSync('GUARANTEES.md', 'utf8')
  .split(/^## /m)
  .slice(1)
  .map((section) => ({
    title: section.split('\n')[0] ?? '',
    specs: Array.from(section.matchAll(/\]\((test\/[^)]+\.spec\.ts)\)/g), ([, file = '']) => file),
  }));
const SPECS = [...new Set(GUARANTEES.flatMap(({ specs }) => specs))];

describe('GUARANTEES.md', () => {
  it('numbers its guarantees, and links each to its tests', () => {
    expect(GUARANTEES.map(({ title }) => Number.parseInt(title))).toEqual(GUARANTEES.map((_, index) => index + 1));
    expect(GUARANTEES.length).toBeGreaterThanOrEqual(12);
    for (const { title, specs } of GUARANTEES) expect(specs.length, title).toBeGreaterThan(0);
  });

  it.each(SPECS)('links only to tests that run: %s', (file) => {
    expect(existsSync(file)).toBe(true);
    const source = readFileSync(file, 'utf8');
    expect(source).toMatch(/^\s*it(\.each)?[(<]/m);
    expect(source).not.toMatch(/\b(it|describe)\.(skip|only|todo)\b/);
  });

  it('links to every test of faults and of secrets, so that none proves something that is not stated', () => {
    const written = ['test/faults', 'test/secrets'].flatMap((folder) =>
      readdirSync(folder)
        .filter((name) => name.endsWith('.spec.ts'))
        .map((name) => join(folder, name)),
    );
    expect(written.filter((file) => !SPECS.includes(file))).toEqual([]);
  });
});
