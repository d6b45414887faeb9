import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';
import type { Sample } from './contender.js';

/** One implementation of a benchmark's work: a program in `contenders/` that runs in a separate process. */
export interface Contender {
  readonly name: string;
  readonly program: string;
  readonly options: object;
  /** Options of Node, for example `--expose-gc`. */
  readonly flags?: readonly string[];
}

export type Samples = Readonly<Record<string, readonly Sample[]>>;

/** Runs every contender once per round, so that disturbances of the machine affect all of them. */
export async function interleave(contenders: readonly Contender[], rounds: number): Promise<Samples> {
  const samples: Record<string, Sample[]> = Object.fromEntries(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const contender of contenders) samples[contender.name]?.push(await runOnce(contender));
  }
  return samples;
}

export async function runOnce({ name, program, options, flags = [] }: Contender): Promise<Sample> {
  const child = spawn(process.execPath, [...flags, script(`contenders/${program}.js`), JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const line = await firstLine(child);
  if (line === undefined) throw new Error(`${name} printed no result`);
  return JSON.parse(line) as Sample;
}

/** Starts a server program. Resolves with its first line of output, parsed as JSON. */
export async function startServer(
  program: string,
  args: readonly string[],
): Promise<{ child: ChildProcess; hello: Record<string, number> }> {
  const child = spawn(process.execPath, [script(`${program}.js`), ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const line = await firstLine(child);
  if (line === undefined) throw new Error(`${program} did not start`);
  return { child, hello: JSON.parse(line) as Record<string, number> };
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  const middle = sorted.length / 2;
  const median = sorted.length % 2 === 1 ? at(Math.floor(middle)) : (at(middle - 1) + at(middle)) / 2;
  return { median, min: at(0), max: at(sorted.length - 1) };
}

const script = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

async function firstLine({ stdout }: ChildProcess): Promise<string | undefined> {
  if (!stdout) return undefined;
  for await (const line of createInterface({ input: stdout })) return line;
  return undefined;
}
