import type { Curve } from './growth-chart.js';
import type { Spread } from './measure.js';

/** A row of the table: our figure, the peer's, and the goal for their ratio. */
export interface Row {
  readonly work: string;
  readonly figure: string;
  readonly ours: Spread;
  readonly peer?: Spread;
  readonly peerName?: string;
  /** Our median divided by the peer's. */
  readonly ratio?: number;
  readonly goal?: { readonly atLeast: number } | { readonly atMost: number };
  /** CPU seconds over the size of the work, for a chart. */
  readonly curve?: Curve;
}

export const isMet = ({ goal, ratio, ours }: Row): boolean | undefined => {
  if (!goal) return undefined;
  const value = ratio ?? ours.median;
  return 'atLeast' in goal ? value >= goal.atLeast : value <= goal.atMost;
};

/** Prints the table. A short run prints no goals, because its figures are not meaningful. */
export function printTable(rows: readonly Row[], { withGoals }: { readonly withGoals: boolean }): void {
  for (const line of aligned(cellsOf(rows, withGoals))) process.stdout.write(`${line.join('  ').trimEnd()}\n`);
}

/** Returns the table as Markdown. */
export function markdownTable(rows: readonly Row[]): string {
  const [head = [], ...lines] = aligned(cellsOf(rows, true));
  const rule = head.map((title) => '-'.repeat(title.length));
  return [head, rule, ...lines].map((line) => `| ${line.join(' | ')} |\n`).join('');
}

function cellsOf(rows: readonly Row[], withGoals: boolean): string[][] {
  const goals = withGoals ? ['goal', ''] : [];
  return [
    ['work', 'figure', 'ours: median (min-max)', 'peer: median (min-max)', 'ratio', ...goals],
    ...rows.map((row) => [
      row.work,
      row.figure,
      show(row.ours),
      row.peer ? `${show(row.peer)} ${row.peerName ?? ''}` : '',
      row.ratio === undefined ? '' : number(row.ratio),
      ...(withGoals ? [goalOf(row), goalState(row)] : []),
    ]),
  ];
}

function aligned(lines: readonly (readonly string[])[]): string[][] {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(3, ...lines.map((line) => line[column]?.length ?? 0)));
  return lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)));
}

export const number = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toPrecision(3);
const show = ({ median, min, max }: Spread): string => `${number(median)} (${number(min)}-${number(max)})`;
export const goalOf = ({ goal }: Row): string =>
  !goal ? '' : 'atLeast' in goal ? `>= ${goal.atLeast}` : `<= ${goal.atMost}`;
const goalState = (row: Row): string => ({ true: 'met', false: 'MISSED', undefined: '' })[String(isMet(row)) as 'true'];
