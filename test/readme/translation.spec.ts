import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { headingsOf } from './headings.js';

const ORIGINAL = 'README.md';
const TRANSLATION = 'README.zh-CN.md';

/** Every block of code, fences included. */
const blocksOf = (document: string): string[] =>
  Array.from(readFileSync(document, 'utf8').matchAll(/^```[\s\S]*?^```$/gm), ([block]) => block);

const proseOf = (document: string): string => readFileSync(document, 'utf8').replaceAll(/^```[\s\S]*?^```$/gm, '');

/** Everything between backticks in the prose: the names of options, classes, methods and commands. */
const namesOf = (document: string): string[] =>
  Array.from(proseOf(document).matchAll(/`([^`]+)`/g), ([, name = '']) => name.replaceAll(/\s+/g, ' ')).sort();

/** Every link, apart from those between the two documents and within them. */
const linksOf = (document: string): string[] =>
  Array.from(proseOf(document).matchAll(/\]\(([^)]+)\)/g), ([, link = '']) => link)
    .filter((link) => !link.startsWith('#') && link !== ORIGINAL && link !== TRANSLATION)
    .sort();

describe('README.zh-CN.md', () => {
  it('has as many headings as README.md, of the same levels and in the same order', () => {
    const levels = (document: string): number[] => headingsOf(document).map(({ level }) => level);
    expect(levels(TRANSLATION)).toEqual(levels(ORIGINAL));
  });

  it('has the same blocks of code, letter by letter', () => {
    expect(blocksOf(TRANSLATION)).toEqual(blocksOf(ORIGINAL));
  });

  it('names the same options, classes, methods and commands', () => {
    expect(namesOf(ORIGINAL)).toContain("policy: 'degraded'");
    expect(namesOf(TRANSLATION)).toEqual(namesOf(ORIGINAL));
  });

  it('links to the same guides and shows the same pictures', () => {
    expect(linksOf(TRANSLATION)).toEqual(linksOf(ORIGINAL));
  });
});
