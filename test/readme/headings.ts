import { readFileSync } from 'node:fs';

export interface Heading {
  /** Level of the heading; 1 is the title of the document. */
  readonly level: number;
  readonly text: string;
  /** Fragment of a link to the heading. */
  readonly anchor: string;
}

/** Returns the headings of a document in order. Lines in code blocks are ignored. */
export function headingsOf(document: string): Heading[] {
  const prose = readFileSync(document, 'utf8').replaceAll(/^```[\s\S]*?^```$/gm, '');
  return Array.from(prose.matchAll(/^(#+) (.+)$/gm), ([, marks = '', text = '']) => ({
    level: marks.length,
    text,
    anchor: anchorOf(text),
  }));
}

/** Follows GitHub's rules: lower case, without punctuation, hyphens for spaces. */
const anchorOf = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
