import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { headingsOf } from './headings.js';

const ORIGINAL = 'README.md';
const TRANSLATION = 'README.zh-CN.md';

/** Every block of code, fences included. */
const blocksOf = (document: string): string[] =>
  Array.from(readFileSync(document, 'utf8').matchAll(/^```[\s\S]*?^```$/gm), ([block]) => block);

/** What is code in the first cell of each row of each table: the names of options, errors and methods. */
const namesOf = (document: string): string[] =>
  Array.from(readFileSync(document, 'utf8').matchAll(/^\| (`[^|]+?) +\|/gm), ([, cell = '']) => cell);

describe('README.zh-CN.md', () => {
  it('has the headings of README.md: as many, of the same levels, in the same order', () => {
    const levels = (document: string): number[] => headingsOf(document).map(({ level }) => level);
    expect(levels(TRANSLATION)).toEqual(levels(ORIGINAL));
  });

  it('has its blocks of code, letter by letter', () => {
    expect(blocksOf(TRANSLATION)).toEqual(blocksOf(ORIGINAL));
  });

  it('has its tables: every option, definition and error', () => {
    expect(namesOf(ORIGINAL)).toContain('`boot.policy`');
    expect(namesOf(TRANSLATION)).toEqual(namesOf(ORIGINAL));
  });

  it('leads to the same guides', () => {
    const guidesOf = (document: string): string[] =>
      Array.from(readFileSync(document, 'utf8').matchAll(/\]\((docs\/[^)]+)\)/g), ([, link = '']) => link).sort();
    expect(guidesOf(TRANSLATION)).toEqual(guidesOf(ORIGINAL));
  });
});
