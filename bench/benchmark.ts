import type { Sample } from './contender.js';
import { type Samples, spreadOf } from './measure.js';
import type { Row } from './report.js';

/** Amount of work: a full run, or a short one that only checks that the benchmark works. */
export interface Size {
  readonly rounds: number;
  /** Divisor of the full amount of work. */
  readonly divisor: number;
}

export interface Benchmark {
  readonly name: string;
  run(size: Size): Promise<Row[]>;
}

export type Figure = (sample: Sample) => number;

export const rate: Figure = ({ count, seconds }) => count / seconds;
export const cpu: Figure = ({ cpuSeconds, count }) => (cpuSeconds / count) * 1e6;
export const peak: Figure = ({ peakMb }) => peakMb;
export const grown: Figure = ({ grownMb }) => grownMb;
export const extra =
  (name: string): Figure =>
  (sample) =>
    sample[name] ?? Number.NaN;

/** Compares a figure of two contenders by the ratio of their medians: ours divided by the peer's. */
export function compare(
  work: string,
  figure: string,
  of: Figure,
  samples: Samples,
  names: { readonly ours: string; readonly peer: string },
  goal?: NonNullable<Row['goal']>,
): Row {
  const ours = spreadOf((samples[names.ours] ?? []).map(of));
  const peer = spreadOf((samples[names.peer] ?? []).map(of));
  return { work, figure, ours, peer, peerName: names.peer, ratio: ours.median / peer.median, ...(goal && { goal }) };
}

/** Checks that every contender has done all of the work. */
export function checkCounts(samples: Samples, expected: number): void {
  for (const [name, list] of Object.entries(samples)) {
    for (const { count } of list)
      if (count !== expected) throw new Error(`${name} counted ${count} instead of ${expected}`);
  }
}
