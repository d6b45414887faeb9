import { readFileSync } from 'node:fs';

export interface Heading {
  /** 1 for the title of the document. */
  readonly level: number;
  readonly text: string;
  /** What a link to it ends with. */
  readonly anchor: string;
}

/** The headings of a document, in order; those inside of blocks of code are none. */
export function headingsOf(document: string): Heading[] {
  const prose = readFileSync(document, 'utf8').replaceAll(/^```[\s\S]*?^```$/gm, '');
  return Array.from(prose.matchAll(/^(#+) (.+)$/gm), ([, marks = '', text = '']) => ({
    level: marks.length,
    text,
    anchor: anchorOf(text),
  }));
}

/** As GitHub makes it: lower case, without punctuation, spaces as hyphens. */
const anchorOf = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
