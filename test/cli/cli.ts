import { resolve } from 'node:path';
import { runProgram } from '../../lib/cli/program.js';
import type { ExitCode, Terminal } from '../../lib/cli/terminal.js';

export interface CliResult {
  readonly exitCode: ExitCode;
  /** Lines of standard output. */
  readonly out: readonly string[];
  /** Lines of standard error. */
  readonly notes: readonly string[];
}

/** Runs the command line within this process. */
export async function cli(args: readonly string[], given: Partial<Terminal> = {}): Promise<CliResult> {
  const out: string[] = [];
  const notes: string[] = [];
  const exitCode = await runProgram(args, {
    out: (line) => out.push(...line.split('\n')),
    bytes: (content) => out.push(...content.toString().split('\n')),
    note: (line) => notes.push(...line.split('\n')),
    progress: () => undefined,
    isTerminal: false,
    hasColors: false,
    user: 'tester',
    read: () => Promise.resolve(''),
    env: {},
    directory: resolve('.'),
    interrupted: new AbortController().signal,
    ...given,
  });
  return { exitCode, out, notes };
}
