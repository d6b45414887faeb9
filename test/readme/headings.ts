import { readFileSync } from 'node:fs';

export interface Heading {
  /** 1 for the title of the document. */
  readonly level: number;
  readonly text: string;
  /** The part of a link after `#`. */
  readonly anchor: string;
}

/** The headings of a document in order, without lines that look like headings inside code blocks. */
export function headingsOf(document: string): Heading[] {
  const prose = readFileSync(document, 'utf8').replaceAll(/^```[\s\S]*?^```$/gm, '');
  return Array.from(prose.matchAll(/^(#+) (.+)$/gm), ([, marks = '', text = '']) => ({
    level: marks.length,
    text,
    anchor: anchorOf(text),
  }));
}

/** GitHub's rule: lower case, without punctuation, hyphens for spaces. */
const anchorOf = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
