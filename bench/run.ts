import type { Benchmark } from './benchmark.js';
import { config } from './config.js';
import { coordination } from './coordination.js';
import { endurance } from './endurance.js';
import { groups } from './groups.js';
import { growth } from './growth.js';
import { handlers } from './handlers.js';
import { keys } from './keys.js';
import { latency } from './latency.js';
import { list } from './list.js';
import { memory } from './memory.js';
import { history, live } from './watch-real.js';
import { outage } from './outage.js';
import { scheduling } from './scheduling.js';
import { store } from './store.js';
import { stuckHandlers } from './stuck-handlers.js';
import { targets } from './targets.js';
import { number, printTable, type Row } from './report.js';
import { saveResult, resultOf } from './results.js';
import { watchReplay } from './watch-replay.js';

/**
 * `npm run bench -- [--short] [name ...]`: runs all benchmarks, or the named ones, and prints a table. Full runs
 * replace their saved results.
 */
const ALL: readonly Benchmark[] = [
  ...watchReplay,
  ...history,
  live,
  latency,
  list,
  targets,
  outage,
  scheduling,
  handlers,
  stuckHandlers,
  store,
  config,
  memory,
  keys,
  coordination,
  groups,
  growth,
  endurance,
];

const names = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const isShort = process.argv.includes('--short');
const chosen = ALL.filter(({ name }) => names.length === 0 || names.some((wanted) => name.startsWith(wanted)));
if (chosen.length === 0) {
  process.stderr.write(
    `unknown benchmark ${names.join(', ')}; the benchmarks are ${ALL.map(({ name }) => name).join(', ')}\n`,
  );
  process.exit(1);
}

const order = ALL.map(({ name }) => name);
const rows: Row[] = [];
for (const benchmark of chosen) {
  process.stderr.write(`${benchmark.name} ...\n`);
  const measured = await benchmark.run(isShort ? { rounds: 1, divisor: 100 } : { rounds: 5, divisor: 1 });
  for (const { work, figure, ours, ratio } of measured) {
    process.stderr.write(
      `  ${work}, ${figure}: ${number(ours.median)}${ratio === undefined ? '' : `, ${number(ratio)} x the peer`}\n`,
    );
  }
  rows.push(...measured);
  if (!isShort) saveResult(resultOf(benchmark.name, measured), order);
}
printTable(rows, { withGoals: !isShort });
