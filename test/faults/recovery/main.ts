import 'reflect-metadata';
import { findEtcd } from 'nestjs-etcd-trigger/testing';
import { measureRounds, type RecoveryScenario } from './recovery-scenario.js';
import { RECOVERY_SCENARIOS } from './recovery-scenarios.js';

// Prints how long a watch takes to follow again after each kind of fault. `npm run recovery -- killed` runs only the
// faults whose name contains that word.
const words = process.argv.slice(2);
const chosen = RECOVERY_SCENARIOS.filter(({ fault }) => words.every((word) => fault.includes(word)));
const { version } = await findEtcd();
print(`etcd ${version}, Node ${process.versions.node}; milliseconds`);
print(row('fault', 'from', 'n', 'p50', 'p99', 'max', 'goal'));
print(row('-', '-', '-', '-', '-', '-', '-'));
let missed = 0;
for (const scenario of chosen) {
  const times = (await measureRounds(scenario)).sort((a, b) => a - b);
  if (figureOf(scenario, times) > scenario.limitMs) missed += 1;
  print(
    row(
      scenario.fault,
      scenario.measured,
      times.length,
      at(times, 0.5),
      at(times, 0.99),
      at(times, 1),
      `${scenario.statistic} <= ${scenario.limitMs}`,
    ),
  );
}
print(missed === 0 ? 'every goal is met' : `${missed} goals are missed`);
process.exitCode = missed === 0 ? 0 : 1;

function figureOf({ statistic }: RecoveryScenario, times: readonly number[]): number {
  return at(times, statistic === 'p99' ? 0.99 : 1);
}

function at(sorted: readonly number[], part: number): number {
  return Math.round(sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN);
}

function row(...cells: (string | number)[]): string {
  return `| ${cells.join(' | ')} |`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
