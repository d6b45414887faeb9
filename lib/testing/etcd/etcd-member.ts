import { mkdtempSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { EtcdStartError } from '../etcd-testing.errors.js';
import { type EtcdMemberOptions, memberArguments } from './etcd-member-arguments.js';
import { withoutEtcdOptions } from './etcd-version.js';
import { EtcdWatchdog } from './etcd-watchdog.js';
import { loopbackRequest } from './loopback-request.js';

const HEALTHY_WITHIN_MS = 60_000;
const STOPPED_WITHIN_MS = 15_000;
const LOG_LINES = 40;

/** One etcd process that can be stopped, killed, paused and started again at the same address. */
export class EtcdMember {
  readonly #options: EtcdMemberOptions;
  readonly #folder: string;
  readonly #watchdog: EtcdWatchdog;
  #isPaused = false;
  #isDisposed = false;
  #starting: Promise<void> | undefined;

  constructor(options: EtcdMemberOptions) {
    this.#options = options;
    this.#folder = mkdtempSync(join(tmpdir(), 'etcd-test-'));
    this.#watchdog = new EtcdWatchdog(this.#folder);
  }

  get name(): string {
    return this.#options.name;
  }

  /** For clients, as `http://127.0.0.1:20379`; the same over all restarts. */
  get endpoint(): string {
    return `${this.#options.tls ? 'https' : 'http'}://127.0.0.1:${this.clientPort}`;
  }

  get clientPort(): number {
    return this.#options.ports.client;
  }

  /** Where it listens for other members; what they are told may be another URL. */
  get peerPort(): number {
    return this.#options.ports.peer;
  }

  /** Where its data lies: while it is stopped, a copy of this folder is an offline copy of its store. */
  get dataDirectory(): string {
    return join(this.#folder, 'data');
  }

  /** Of the etcd process, `undefined` while none runs. */
  get pid(): number | undefined {
    return this.#watchdog.pid;
  }

  /** Whether the process is there; a paused one is. */
  get running(): boolean {
    return this.pid !== undefined;
  }

  /**
   * Starts it with the data it has, and resolves when it serves requests; a member of several needs a majority for that. An abort ends the attempt
   * and the process.
   */
  async start(signal?: AbortSignal): Promise<void> {
    if (this.#isDisposed) throw new InvalidOptionsError(`${this.name} was disposed and cannot be started again`);
    this.#starting ??= this.#start(signal).finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  /** Asks it to end (SIGTERM) and waits for that; the data stays. */
  async stop(): Promise<void> {
    this.#signal('SIGTERM');
    this.resume();
    if (await this.#watchdog.until(() => !this.running, STOPPED_WITHIN_MS)) return;
    await this.kill();
  }

  /** Ends it without warning (SIGKILL); the data stays. */
  async kill(): Promise<void> {
    this.#signal('SIGKILL');
    this.#isPaused = false;
    await this.#watchdog.until(() => !this.running, STOPPED_WITHIN_MS);
  }

  /** Freezes it (SIGSTOP): its connections stay open and nothing answers. */
  pause(): void {
    if (process.platform === 'win32') throw new InvalidOptionsError('a process cannot be paused on Windows');
    if (!this.running) throw new InvalidOptionsError(`${this.name} cannot be paused, because it is not running`);
    this.#signal('SIGSTOP');
    this.#isPaused = true;
  }

  /** Lets a paused one go on (SIGCONT). */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#signal('SIGCONT');
  }

  /** Stops it and starts it again. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /**
   * Ends it and deletes its data: started again, a single member is a new and empty store at the same address. A member of several cannot come
   * back alone without its data; use the cluster's `wipe()`.
   */
  async wipe(): Promise<void> {
    await this.kill();
    await rm(this.dataDirectory, { recursive: true, force: true });
  }

  /** The last lines of its log, over all starts. */
  async log(lines = LOG_LINES): Promise<string> {
    const text = await readFile(this.#logFile, 'utf8').catch(() => '');
    return text.trimEnd().split('\n').slice(-lines).join('\n');
  }

  /** The value of a metric without labels, as `etcd_server_is_leader`. */
  async metric(name: string): Promise<number | undefined> {
    const text = await loopbackRequest(`${this.#metricsUrl}/metrics`, 2_000);
    const value = text
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.slice(name.length);
    return value === undefined ? undefined : Number(value);
  }

  /** Ends it and removes everything it had; it cannot be started again. */
  async dispose(): Promise<void> {
    this.#isDisposed = true;
    await this.#watchdog.end();
  }

  /** The same, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  get #logFile(): string {
    return join(this.#folder, 'etcd.log');
  }

  get #metricsUrl(): string {
    return `http://127.0.0.1:${this.#options.ports.metrics}`;
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.pid === undefined) return;
    try {
      process.kill(this.pid, signal);
    } catch (error) {
      // It ended a moment ago and the report is on its way.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  async #start(signal: AbortSignal | undefined): Promise<void> {
    if (this.running) return;
    const { binary, env } = this.#options;
    const args = await memberArguments(this.#options, this.dataDirectory);
    signal?.throwIfAborted();
    await this.#watchdog.start({
      program: binary.path,
      args,
      cwd: process.cwd(),
      log: this.#logFile,
      env: { ...withoutEtcdOptions(process.env), ...env },
    });
    await this.#healthy(signal);
  }

  async #healthy(signal: AbortSignal | undefined): Promise<void> {
    const deadline = Date.now() + HEALTHY_WITHIN_MS;
    let cause: unknown;
    while (this.running && Date.now() < deadline && signal?.aborted !== true) {
      const health = await loopbackRequest(`${this.#metricsUrl}/health`, 2_000).catch((error: unknown) => {
        cause = error;
        return '';
      });
      if (health.includes('"health":"true"')) return;
      await sleep(20);
    }
    const reason = this.running
      ? `did not become healthy within ${HEALTHY_WITHIN_MS / 1000} s`
      : `ended at its start (${this.#watchdog.exit ?? 'it never ran'})`;
    await this.kill();
    signal?.throwIfAborted();
    const { binary } = this.#options;
    throw new EtcdStartError(`etcd ${binary.version} (${binary.path}) ${reason}`, await this.log(), cause);
  }
}
