import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

const END_TIMEOUT_MS = 10_000;

/**
 * What the watchdog runs: it starts etcd on request and reports its pid and its end. When its channel closes, because its owner ended in whatever
 * way, it kills etcd and removes the folder. Plain JavaScript in a string, so that it needs no file and runs the same from sources and bundles.
 */
const SCRIPT = `
const { spawn } = require('node:child_process');
const { openSync, closeSync, rmSync } = require('node:fs');
const folder = process.argv[1];
let etcd;
let isEnding = false;
const tell = (message) => { if (process.connected) process.send(message, () => {}); };
const leave = () => {
  try { rmSync(folder, { recursive: true, force: true, maxRetries: 20 }); } finally { process.exit(); }
};
const end = () => {
  if (isEnding) return;
  isEnding = true;
  if (etcd === undefined) return leave();
  etcd.once('exit', leave);
  etcd.kill('SIGKILL');
};
const start = ({ program, args, cwd, env, log }) => {
  const output = openSync(log, 'a');
  const started = spawn(program, args, { cwd, env, stdio: ['ignore', output, output], windowsHide: true });
  closeSync(output);
  etcd = started;
  started.once('spawn', () => tell({ pid: started.pid }));
  started.once('error', (error) => { if (!started.pid) { etcd = undefined; tell({ exit: error.message }); } });
  started.once('exit', (code, signal) => { etcd = undefined; tell({ exit: signal ?? 'code ' + code }); });
};
process.on('message', (message) => { if (message.end) end(); else if (!isEnding) start(message); });
process.on('disconnect', end);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, end);
`;

/** What to run. */
export interface WatchedProgram {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** The file to which its output is appended. */
  readonly log: string;
}

type Report = { readonly pid: number } | { readonly exit: string };

/**
 * Runs one program at a time in a process group of its own, so that Ctrl-C does not reach it, and lets neither the program nor the folder outlive
 * this process, not even when that is killed with SIGKILL. Keeps nobody alive itself: this process may simply end.
 */
export class EtcdWatchdog {
  readonly #child: ChildProcess;
  readonly #reports = new EventEmitter<{ report: [] }>();
  #pid: number | undefined;
  #exit: string | undefined;

  constructor(folder: string) {
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('NODE_')));
    this.#child = spawn(process.execPath, ['--input-type=commonjs', '-e', SCRIPT, '--', folder], {
      cwd: tmpdir(),
      detached: true,
      env,
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      windowsHide: true,
    });
    this.#child.unref();
    this.#child.channel?.unref();
    this.#child.on('message', (report: Report) => {
      this.#take(report);
    });
    for (const event of ['error', 'exit'] as const) {
      this.#child.once(event, () => {
        this.#take({ exit: 'end of its watchdog' });
      });
    }
  }

  /** Of the program that runs now. */
  get pid(): number | undefined {
    return this.#pid;
  }

  /** How the last program ended: `SIGKILL`, `code 1`, or why it could not be run; `undefined` before that. */
  get exit(): string | undefined {
    return this.#exit;
  }

  /** Resolves as soon as the program runs or is known not to. */
  async start(program: WatchedProgram): Promise<void> {
    this.#exit = undefined;
    this.#send(program);
    await this.until(() => this.#pid !== undefined || this.#exit !== undefined, END_TIMEOUT_MS);
  }

  /** Waits for a condition on `pid` and `exit`; false when the time is over. The timer is what keeps this process alive meanwhile. */
  async until(condition: () => boolean, timeoutMs: number): Promise<boolean> {
    const over = new AbortController();
    const timer = sleep(timeoutMs, 'timeout', { signal: over.signal }).catch(() => 'aborted');
    try {
      while (!condition()) {
        const report = once(this.#reports, 'report', { signal: over.signal }).then(() => 'report');
        if ((await Promise.race([timer, report.catch(() => 'aborted')])) === 'timeout') return condition();
      }
      return true;
    } finally {
      over.abort();
    }
  }

  /** Kills what runs, removes the folder and ends the watchdog. */
  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null || this.#child.pid === undefined) return;
    this.#send({ end: true });
    await this.until(() => this.#child.exitCode !== null || this.#child.signalCode !== null, END_TIMEOUT_MS);
    this.#child.kill('SIGKILL');
  }

  #send(message: WatchedProgram | { end: true }): void {
    if (!this.#child.connected) return;
    this.#child.send(message, () => undefined);
  }

  #take(report: Report): void {
    if ('pid' in report) this.#pid = report.pid;
    else {
      this.#pid = undefined;
      this.#exit = report.exit;
    }
    this.#reports.emit('report');
  }
}
