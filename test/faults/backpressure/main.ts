import { findEtcd } from 'nestjs-etcd-trigger/testing';
import { runBackpressure, type BackpressureResult } from './backpressure-run.js';

// Prints the cost of a stuck listener under load, next to the same load without one. `npm run backpressure -- 100000`
// writes fewer events.
const events = Number(process.argv[2] ?? 1_000_000);
const LIMIT_MB = 32;
/** Low enough that two cores can run the server, the writers and all listeners without delays of their own. */
const PER_SECOND = 5_000;

const { version } = await findEtcd();
const free = await runBackpressure({ events, perSecond: PER_SECOND, mode: 'free' });
const stuck = await runBackpressure({ events, perSecond: PER_SECOND, mode: 'stuck' });
const compacted = await runBackpressure({ events: Math.min(events, 100_000), mode: 'stuck', compact: true });

print(`etcd ${version}, Node ${process.versions.node}; ${stuck.expected} events with a stuck listener`);
print('| | none stuck | one stuck |');
print('|---|---|---|');
compare('load, seconds', ({ seconds }) => seconds.toFixed(0));
compare('maximum growth of heap and buffers after gc, MB', ({ memory }) => megabytes(memory));
compare('maximum growth of the process (RSS), MB', ({ rss }) => megabytes(rss));
compare('maximum growth of the server (RSS), MB', ({ serverRss }) => megabytes(serverRss));
compare('maximum pending events of the stuck listener', ({ pending }) => String(pending));
for (const [who, name] of [
  ['neighbour', 'another listener of the same prefix'],
  ['store', 'the store, on the same prefix'],
  ['elsewhere', 'a listener of another prefix'],
] as const) {
  compare(`write to ${name}, p50 / p99 ms`, ({ delays }) => `${at(delays[who], 0.5)} / ${at(delays[who], 0.99)}`);
}
compare(
  'events it received in the end; missed, duplicate or out of order',
  ({ first }) => `${first.events}; ${first.faults}`,
);
compare('catch-up time, seconds', ({ catchUpSeconds }) => catchUpSeconds.toFixed(1));
print('');
const { first } = compacted;
print(`compacted while it was stuck: ${first.resyncs} resync, ${first.events} events of ${compacted.expected}`);

const isMet =
  stuck.memory <= LIMIT_MB * 1e6 &&
  stuck.first.events === stuck.expected &&
  stuck.first.faults === 0 &&
  first.resyncs === 1;
print(isMet ? 'every goal is met' : 'a goal is missed');
process.exitCode = isMet ? 0 : 1;

function compare(name: string, figure: (result: BackpressureResult) => string): void {
  print(`| ${name} | ${figure(free)} | ${figure(stuck)} |`);
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

function at(values: readonly number[], part: number): string {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN).toFixed(1);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
