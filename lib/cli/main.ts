#!/usr/bin/env node
import 'reflect-metadata';
import { text } from 'node:stream/consumers';
import { userInfo } from 'node:os';
import { runProgram } from './program.js';

const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    interruption.abort();
  });
}

// Who reads the output has seen enough, such as `head`: the command ends as if it were interrupted.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  interruption.abort();
});

const ERASE_LINE = '\r\u001b[K';
let isShowingProgress = false;
const progress = (line: string): void => {
  if (!process.stderr.isTTY || (line === '' && !isShowingProgress)) return;
  process.stderr.write(ERASE_LINE + line);
  isShowingProgress = line !== '';
};

process.exitCode = await runProgram(process.argv.slice(2), {
  out: (line) => {
    progress('');
    process.stdout.write(`${line}\n`);
  },
  bytes: (content) => {
    progress('');
    process.stdout.write(content);
  },
  note: (line) => {
    progress('');
    process.stderr.write(`${line}\n`);
  },
  progress,
  isTerminal: process.stdout.isTTY,
  // Without an argument, hasColors() is true for 16 colours. It does not exist on a stream that is not a terminal.
  hasColors: process.stdout.isTTY && !process.env.NO_COLOR && process.stdout.hasColors(),
  user: userName(),
  read: () => text(process.stdin),
  env: process.env,
  directory: process.cwd(),
  interrupted: interruption.signal,
});

/** A container may run as a user that the operating system does not know. */
function userName(): string | undefined {
  try {
    return userInfo().username || undefined;
  } catch {
    return undefined;
  }
}
