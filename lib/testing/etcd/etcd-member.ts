import { mkdtempSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { checkArgument, isObject } from '../argument-checks.js';
import { EtcdStartError } from '../etcd-testing.errors.js';
import { checkMemberOptions, type EtcdMemberOptions, memberArguments } from './etcd-member-arguments.js';
import { withoutEtcdOptions } from './etcd-program.js';
import { EtcdWatchdog } from './etcd-watchdog.js';
import { loopbackRequest } from './loopback-request.js';

const HEALTH_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 15_000;
const LOG_LINES = 40;

/** An etcd process that can be stopped, killed, paused and restarted at the same address. */
export class EtcdMember {
  readonly #options: EtcdMemberOptions;
  readonly #folder: string;
  readonly #watchdog: EtcdWatchdog;
  #isPaused = false;
  #isDisposed = false;
  #starting: Promise<void> | undefined;

  constructor(options: EtcdMemberOptions) {
    checkMemberOptions(options);
    this.#options = options;
    this.#folder = mkdtempSync(join(tmpdir(), 'etcd-test-'));
    this.#watchdog = new EtcdWatchdog(this.#folder);
  }

  get name(): string {
    return this.#options.name;
  }

  /** Client URL, for example `http://127.0.0.1:20379`. It does not change on restarts. */
  get endpoint(): string {
    return `${this.#options.tls ? 'https' : 'http'}://127.0.0.1:${this.clientPort}`;
  }

  get clientPort(): number {
    return this.#options.ports.client;
  }

  /** Port for other members. The URL that they use may differ (see `peerUrls` of the cluster). */
  get peerPort(): number {
    return this.#options.ports.peer;
  }

  /** Data directory. While the member is stopped, a copy of this folder is an offline backup of its store. */
  get dataDirectory(): string {
    return join(this.#folder, 'data');
  }

  /** Process id of etcd, `undefined` while it is not running. */
  get pid(): number | undefined {
    return this.#watchdog.pid;
  }

  /** True if the process exists. A paused member is running. */
  get running(): boolean {
    return this.pid !== undefined;
  }

  /**
   * Starts the member with its existing data. Resolves when it serves requests; in a cluster of several members that
   * takes a majority. Aborting the signal ends the attempt and the process.
   */
  async start(signal?: AbortSignal): Promise<void> {
    if (this.#isDisposed) throw new InvalidOptionsError(`${this.name} was disposed and cannot be started again`);
    const isSignal = signal === undefined || (isObject(signal) && 'aborted' in signal);
    checkArgument('start()', isSignal, 'pass an AbortSignal or nothing');
    this.#starting ??= this.#start(signal).finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  /** Sends SIGTERM and waits until the process has exited. The data is kept. */
  async stop(): Promise<void> {
    this.#signal('SIGTERM');
    this.resume();
    if (await this.#watchdog.until(() => !this.running, STOP_TIMEOUT_MS)) return;
    await this.kill();
  }

  /** Kills the process (SIGKILL). The data is kept. */
  async kill(): Promise<void> {
    this.#signal('SIGKILL');
    this.#isPaused = false;
    await this.#watchdog.until(() => !this.running, STOP_TIMEOUT_MS);
  }

  /** Freezes the process (SIGSTOP): its connections stay open, but it does not respond. */
  pause(): void {
    if (process.platform === 'win32') throw new InvalidOptionsError('a process cannot be paused on Windows');
    if (!this.running) throw new InvalidOptionsError(`${this.name} cannot be paused, because it is not running`);
    this.#signal('SIGSTOP');
    this.#isPaused = true;
  }

  /** Resumes a paused process (SIGCONT). */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#signal('SIGCONT');
  }

  /** Stops and starts the member. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /**
   * Kills the process and deletes its data: a single member that is started again is an empty store at the same
   * address. A member of a larger cluster cannot rejoin without its data; use the cluster's `wipe()`.
   */
  async wipe(): Promise<void> {
    await this.kill();
    await rm(this.dataDirectory, { recursive: true, force: true });
  }

  /** Returns the last lines of its log, which spans all starts. */
  async log(lines = LOG_LINES): Promise<string> {
    checkArgument('log()', Number.isInteger(lines) && lines > 0, 'pass a positive number of lines');
    const text = await readFile(this.#logFile, 'utf8').catch(() => '');
    return text.trimEnd().split('\n').slice(-lines).join('\n');
  }

  /** Returns the value of a metric, for example `etcd_server_is_leader`. */
  async metric(name: string): Promise<number | undefined> {
    checkArgument('metric()', typeof name === 'string', 'pass the name of a metric as a string');
    const text = await loopbackRequest(`${this.#metricsUrl}/metrics`, 2_000);
    const value = text
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.slice(name.length);
    return value === undefined ? undefined : Number(value);
  }

  /** Kills the process and removes its files. The member cannot be started again. */
  async dispose(): Promise<void> {
    this.#isDisposed = true;
    await this.#watchdog.end();
  }

  /** Calls `dispose()`, for `await using`. */
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
      // The process has just exited; the watchdog has not reported it yet.
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
    await this.#waitUntilHealthy(signal);
  }

  async #waitUntilHealthy(signal: AbortSignal | undefined): Promise<void> {
    const deadline = Date.now() + HEALTH_TIMEOUT_MS;
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
      ? `did not become healthy within ${HEALTH_TIMEOUT_MS / 1000} s`
      : `exited during startup (${this.#watchdog.exit ?? 'it never ran'})`;
    await this.kill();
    signal?.throwIfAborted();
    const { binary } = this.#options;
    throw new EtcdStartError(`etcd ${binary.version} (${binary.path}) ${reason}`, await this.log(), cause);
  }
}
