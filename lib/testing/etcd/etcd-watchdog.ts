import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

const END_TIMEOUT_MS = 10_000;

/**
 * Program of the watchdog process. It starts etcd on request and reports its pid and its exit. When the IPC channel
 * closes because the owner has ended, it kills etcd and removes the folder. It is plain JavaScript in a string, so that
 * it needs no file and also works from bundles.
 */
const SCRIPT = `
const { spawn } = require('node:child_process');
const { openSync, closeSync, rmSync } = require('node:fs');
const folder = process.argv[1];
let etcd;
let isEnding = false;
const report = (message) => { if (process.connected) process.send(message, () => {}); };
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
  started.once('spawn', () => report({ pid: started.pid }));
  started.once('error', (error) => { if (!started.pid) { etcd = undefined; report({ exit: error.message }); } });
  started.once('exit', (code, signal) => { etcd = undefined; report({ exit: signal ?? 'code ' + code }); });
};
process.on('message', (message) => { if (message.end) end(); else if (!isEnding) start(message); });
process.on('disconnect', end);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, end);
`;

/** A program to run under the watchdog. */
export interface WatchedProgram {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** File to which the program's output is appended. */
  readonly log: string;
}

type Report = { readonly pid: number } | { readonly exit: string };

/**
 * Runs one program at a time in a separate process group, so that Ctrl-C does not reach it. Neither the program nor its
 * folder outlives this process, even if this process is killed with SIGKILL. The watchdog does not keep this process
 * alive.
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
      this.#onReport(report);
    });
    for (const event of ['error', 'exit'] as const) {
      this.#child.once(event, () => {
        this.#onReport({ exit: 'its watchdog ended' });
      });
    }
  }

  /** Process id of the running program. */
  get pid(): number | undefined {
    return this.#pid;
  }

  /** Signal, exit code (`code 1`) or spawn error of the last program. `undefined` while it runs. */
  get exit(): string | undefined {
    return this.#exit;
  }

  /** Resolves when the program runs or has failed to start. */
  async start(program: WatchedProgram): Promise<void> {
    this.#exit = undefined;
    this.#send(program);
    await this.until(() => this.#pid !== undefined || this.#exit !== undefined, END_TIMEOUT_MS);
  }

  /**
   * Waits for a condition on `pid` and `exit`. Returns false after the timeout. The timer keeps this process alive
   * while it waits.
   */
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

  /** Kills the program, removes the folder and ends the watchdog. */
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

  #onReport(report: Report): void {
    if ('pid' in report) this.#pid = report.pid;
    else {
      this.#pid = undefined;
      this.#exit = report.exit;
    }
    this.#reports.emit('report');
  }
}
