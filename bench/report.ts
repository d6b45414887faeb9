import { mkdirSync, writeFileSync } from 'node:fs';
import { type Curve, growthChart } from './growth-chart.js';
import type { Spread } from './measure.js';

/** One line of the table: a figure of ours beside its peer's, and the goal for their ratio. */
export interface Row {
  readonly work: string;
  readonly figure: string;
  readonly ours: Spread;
  readonly peer?: Spread;
  readonly peerName?: string;
  /** ours / peer, or peer / ours where more is better; chosen so that the goal reads naturally. */
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

/** Without goals where too little was measured to speak of them. */
export function printTable(rows: readonly Row[], { withGoals }: { readonly withGoals: boolean }): void {
  const lines = rows.map((row) => [
    row.work,
    row.figure,
    show(row.ours),
    row.peer ? `${show(row.peer)} ${row.peerName ?? ''}` : '',
    row.ratio === undefined ? '' : number(row.ratio),
    ...(withGoals ? [goalOf(row), verdict(row)] : []),
  ]);
  const head = ['work', 'figure', 'ours: median (min-max)', 'peer: median (min-max)', 'ratio', 'goal', ''];
  const widths = head.map((title, column) => Math.max(title.length, ...lines.map((line) => line[column]?.length ?? 0)));
  for (const line of [head, ...lines]) {
    process.stdout.write(
      `${line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    );
  }
}

/** `results.json`, a bar chart of the ratios and one of how costs grow, as SVG. */
export function writeFiles(folder: string, rows: readonly Row[], about: object): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    `${folder}/results.json`,
    `${JSON.stringify({ ...about, rows: rows.map((row) => ({ ...row, met: isMet(row) })) }, undefined, 2)}\n`,
  );
  writeFileSync(`${folder}/ratios.svg`, barChart(rows.filter(({ ratio }) => ratio !== undefined)));
  const curves = rows.flatMap(({ curve }) => curve ?? []);
  if (curves.length > 0) writeFileSync(`${folder}/growth.svg`, growthChart(curves));
}

function barChart(rows: readonly Row[]): string {
  const height = rows.length * 28 + 30;
  const largest = Math.max(1, ...rows.map(({ ratio = 0 }) => ratio));
  const scale = 360 / largest;
  const bars = rows.map((row, index) => {
    const y = 20 + index * 28;
    const width = Math.max(1, (row.ratio ?? 0) * scale);
    const color = isMet(row) === false ? '#b45309' : '#0f766e';
    return `<text x="330" y="${y + 13}" text-anchor="end">${escape(`${row.work}, ${row.figure}`)}</text><rect x="340" y="${y}" width="${width.toFixed(1)}" height="18" fill="${color}"/><text x="${(346 + width).toFixed(1)}" y="${y + 13}">${number(row.ratio ?? 0)}</text>`;
  });
  const one = 340 + scale;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 780 ${height}" font-family="system-ui, sans-serif" font-size="12" fill="#64748b" role="img" aria-label="Ratios against peers measured in the same run">${bars.join('')}<line x1="${one.toFixed(1)}" x2="${one.toFixed(1)}" y1="10" y2="${height - 10}" stroke="#94a3b8" stroke-dasharray="3 3"/></svg>\n`;
}

const escape = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
const number = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toPrecision(3);
const show = ({ median, min, max }: Spread): string => `${number(median)} (${number(min)}-${number(max)})`;
const goalOf = ({ goal }: Row): string => (!goal ? '' : 'atLeast' in goal ? `>= ${goal.atLeast}` : `<= ${goal.atMost}`);
const verdict = (row: Row): string => ({ true: 'met', false: 'MISSED', undefined: '' })[String(isMet(row)) as 'true'];
