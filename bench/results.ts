import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { growthChart } from './growth-chart.js';
import { ratioChart } from './ratio-chart.js';
import { isMet, markdownTable, type Row } from './report.js';

const FOLDER = 'bench/results';
const FILE = `${FOLDER}/results.json`;
const GUIDE = 'docs/performance.md';

/** Result of the last full run of one benchmark, and the machine that it ran on. */
export interface Result {
  readonly benchmark: string;
  readonly date: string;
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  readonly rows: readonly Row[];
}

export const resultOf = (benchmark: string, rows: readonly Row[]): Result => ({
  benchmark,
  date: new Date().toISOString().slice(0, 10),
  node: process.version,
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  rows: rows.map((row) => ({ ...row, met: isMet(row) })),
});

export const readResults = (): Result[] =>
  existsSync(FILE) ? (JSON.parse(readFileSync(FILE, 'utf8')) as Result[]) : [];

/**
 * Replaces the previous result of a benchmark in `results.json`, the charts and the guide's table. Results of benchmarks
 * that no longer exist are dropped.
 */
export function saveResult(result: Result, order: readonly string[]): void {
  const others = readResults().filter(({ benchmark }) => benchmark !== result.benchmark && order.includes(benchmark));
  const all = [...others, result].sort((a, b) => order.indexOf(a.benchmark) - order.indexOf(b.benchmark));
  const rows = all.flatMap((each) => each.rows);
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(FILE, `${JSON.stringify(all, undefined, 2)}\n`);
  writeFileSync(`${FOLDER}/ratios.svg`, ratioChart(rows));
  writeFileSync(`${FOLDER}/growth.svg`, growthChart(rows.flatMap(({ curve }) => curve ?? [])));
  writeGuide(markdownTable(rows));
}

/** Replaces the table between the guide's markers. */
function writeGuide(table: string): void {
  const [before = '', , after = ''] = readFileSync(GUIDE, 'utf8').split(/<!-- \/?results -->\n/);
  writeFileSync(GUIDE, `${before}<!-- results -->\n\n${table}\n<!-- /results -->\n${after}`);
}
