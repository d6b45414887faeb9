import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { growthChart } from './growth-chart.js';
import { ratioChart } from './ratio-chart.js';
import { isMet, markdownTable, type Row } from './report.js';

const FOLDER = 'bench/results';
const FILE = `${FOLDER}/results.json`;
const GUIDE = 'docs/performance.md';

/** The last whole run of one benchmark, and where it ran. */
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

/** Puts a result in the place of the one before, in this order: `results.json`, charts of the goals and of how costs grow, and the table of the guide. */
export function keep(result: Result, order: readonly string[]): void {
  const others = readResults().filter(({ benchmark }) => benchmark !== result.benchmark);
  const all = [...others, result].sort((a, b) => order.indexOf(a.benchmark) - order.indexOf(b.benchmark));
  const rows = all.flatMap((each) => each.rows);
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(FILE, `${JSON.stringify(all, undefined, 2)}\n`);
  writeFileSync(`${FOLDER}/ratios.svg`, ratioChart(rows));
  writeFileSync(`${FOLDER}/growth.svg`, growthChart(rows.flatMap(({ curve }) => curve ?? [])));
  writeGuide(markdownTable(rows));
}

/** Between its marks. */
function writeGuide(table: string): void {
  const [before = '', , after = ''] = readFileSync(GUIDE, 'utf8').split(/<!-- \/?results -->\n/);
  writeFileSync(GUIDE, `${before}<!-- results -->\n\n${table}\n<!-- /results -->\n${after}`);
}
