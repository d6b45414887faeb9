import { findEtcd } from 'nestjs-etcd-trigger/testing';
import { runBackpressure, type BackpressureResult } from './backpressure-run.js';

// Prints what a stuck listener costs while a million events pass, beside the same load with none stuck. `npm run backpressure -- 100000`: fewer events.
const events = Number(process.argv[2] ?? 1_000_000);
const LIMIT_MB = 32;
/** What two cores bear for the server, the writers and all listeners, so that delays are theirs and not the machine's. */
const PER_SECOND = 5_000;

const { version } = await findEtcd();
const free = await runBackpressure({ events, perSecond: PER_SECOND, mode: 'free' });
const stuck = await runBackpressure({ events, perSecond: PER_SECOND, mode: 'stuck' });
const compacted = await runBackpressure({ events: Math.min(events, 100_000), mode: 'stuck', compact: true });

print(`etcd ${version}, Node ${process.versions.node}; ${stuck.expected} events past a stuck listener`);
print('| | none stuck | one stuck |');
print('|---|---|---|');
compare('load, seconds', ({ seconds }) => seconds.toFixed(0));
compare('growth of heap and buffers after gc, at most, MB', ({ memory }) => megabytes(memory));
compare('growth of the process (RSS), at most, MB', ({ rss }) => megabytes(rss));
compare('growth of the server (RSS), at most, MB', ({ serverRss }) => megabytes(serverRss));
compare('events that wait for it, at most', ({ pending }) => String(pending));
for (const [who, name] of [
  ['neighbour', 'another listener of the same prefix'],
  ['store', 'the store, on the same prefix'],
  ['elsewhere', 'a listener of another prefix'],
] as const) {
  compare(`write to ${name}, p50 / p99 ms`, ({ delays }) => `${at(delays[who], 0.5)} / ${at(delays[who], 0.99)}`);
}
compare('events it has in the end; missed, repeated or disordered', ({ first }) => `${first.events}; ${first.faults}`);
compare('until it has caught up, seconds', ({ catchUpSeconds }) => catchUpSeconds.toFixed(1));
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
