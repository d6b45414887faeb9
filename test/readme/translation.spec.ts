import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { headingsOf } from './headings.js';

const ORIGINAL = 'README.md';
const TRANSLATION = 'README.zh-CN.md';

/** Returns every code block, including its fences. */
const blocksOf = (document: string): string[] =>
  Array.from(readFileSync(document, 'utf8').matchAll(/^```[\s\S]*?^```$/gm), ([block]) => block);

/** Returns the names of options, errors and methods: the code in the first cell of each table row. */
const namesOf = (document: string): string[] =>
  Array.from(readFileSync(document, 'utf8').matchAll(/^\| (`[^|]+?) +\|/gm), ([, cell = '']) => cell);

describe('README.zh-CN.md', () => {
  it('has headings of the same levels, in the same order, as README.md', () => {
    const levels = (document: string): number[] => headingsOf(document).map(({ level }) => level);
    expect(levels(TRANSLATION)).toEqual(levels(ORIGINAL));
  });

  it('has identical code blocks', () => {
    expect(blocksOf(TRANSLATION)).toEqual(blocksOf(ORIGINAL));
  });

  it('has the same tables of options, definitions and errors', () => {
    expect(namesOf(ORIGINAL)).toContain('`boot.policy`');
    expect(namesOf(TRANSLATION)).toEqual(namesOf(ORIGINAL));
  });

  it('links to the same guides', () => {
    const guidesOf = (document: string): string[] =>
      Array.from(readFileSync(document, 'utf8').matchAll(/\]\((docs\/[^)]+)\)/g), ([, link = '']) => link).sort();
    expect(guidesOf(TRANSLATION)).toEqual(guidesOf(ORIGINAL));
  });
});
