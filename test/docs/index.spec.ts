import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { headingsOf } from '../readme/headings.js';

const GUIDES = readdirSync('docs').filter((name) => name.endsWith('.md') && name !== 'README.md');
const DOCUMENTS = [
  ...readdirSync('.').filter((name) => name.endsWith('.md')),
  ...['README.md', ...GUIDES].map((name) => join('docs', name)),
];

describe('the documentation', () => {
  it('has an index with one line for each guide', () => {
    const listed = Array.from(
      readFileSync('docs/README.md', 'utf8').matchAll(/^- \[[^\]]+\]\(([\w-]+\.md)\): \S+/gm),
      ([, name = '']) => name,
    );
    expect(listed.sort()).toEqual(GUIDES.sort());
  });

  it.each(DOCUMENTS)('%s links only to files and headings that exist', (document) => {
    const links = Array.from(
      readFileSync(document, 'utf8').matchAll(/\]\((?!https?:)([^)\s]+)\)/g),
      ([, link = '']) => link,
    );
    for (const link of links) {
      const [path = '', anchor] = link.split('#');
      const file = path === '' ? document : join(dirname(document), path);
      expect(existsSync(file), link).toBe(true);
      if (anchor)
        expect(
          headingsOf(file).map(({ anchor: id }) => id),
          link,
        ).toContain(anchor);
    }
  });
});
