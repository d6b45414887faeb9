#!/usr/bin/env node
import 'reflect-metadata';
import { text } from 'node:stream/consumers';
import { runProgram } from './program.js';

const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    interruption.abort();
  });
}

process.exitCode = await runProgram(process.argv.slice(2), {
  out: (line) => {
    process.stdout.write(`${line}\n`);
  },
  note: (line) => {
    process.stderr.write(`${line}\n`);
  },
  read: () => text(process.stdin),
  env: process.env,
  directory: process.cwd(),
  interrupted: interruption.signal,
});
