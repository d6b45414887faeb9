import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const TEXT = readFileSync('CONTRIBUTING.md', 'utf8');

describe('CONTRIBUTING.md', () => {
  it('draws the path of a change through files that exist', () => {
    const [, drawing = ''] = /^```mermaid\n([\s\S]*?)^```$/m.exec(TEXT) ?? [];
    const files = Array.from(drawing.matchAll(/lib\/[\w./-]+\.ts/g), ([file]) => file);

    expect(files.length).toBeGreaterThan(10);
    expect(files.filter((file) => !existsSync(file))).toEqual([]);
  });

  it('names no other file that does not exist', () => {
    const files = Array.from(TEXT.matchAll(/`((?:lib|test|docs)\/[\w./-]+\.(?:ts|md))`/g), ([, file = '']) => file);
    expect(files.filter((file) => !existsSync(file))).toEqual([]);
  });

  it('lists every folder of lib', () => {
    const folders = readdirSync('lib', { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
    const listed = Array.from(TEXT.matchAll(/^\| `lib\/([\w-]+)` /gm), ([, name = '']) => name);

    expect(listed.sort()).toEqual(folders.sort());
  });
});
