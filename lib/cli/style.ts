import { styleText } from 'node:util';
import { escaped } from '../foreign/foreign-text.js';
import type { Terminal } from './terminal.js';

/** Colours of a line. */
export type Style = 'red' | 'yellow' | 'bold';

/** Colours a text if the terminal shows colours, which is decided once, and not by `styleText`. */
export const styled = ({ hasColors }: Pick<Terminal, 'hasColors'>, style: Style, text: string): string =>
  hasColors ? styleText(style, text, { validateStream: false }) : text;

/** Prints rows in aligned columns below a heading. Escapes what comes from etcd. */
export function printTable(
  terminal: Pick<Terminal, 'out' | 'hasColors'>,
  heading: readonly string[],
  rows: readonly (readonly string[])[],
): void {
  const shown = rows.map((row) => row.map(escaped));
  const widths = heading.map((name, column) =>
    Math.max(name.length, ...shown.map((row) => (row[column] ?? '').length)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  terminal.out(styled(terminal, 'bold', line(heading)));
  for (const row of shown) terminal.out(line(row));
}
