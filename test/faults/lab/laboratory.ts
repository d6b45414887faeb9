import { eventually } from '../../support/eventually.js';
import { differenceBetween } from './difference.js';
import { isScenario, isSurvivable } from './fault.js';
import { Injector } from './injector.js';
import { LabApplication, LabConfig, type LabListener } from './lab-application.js';
import { LabCluster, type LabEnvironment } from './lab-cluster.js';
import { LabFailure } from './lab-failure.js';
import { WriteChecker } from './write-checker.js';
import { fingerprint, StoreRecorder } from './store-recorder.js';
import { RANGES } from './operation.js';
import { runScenario } from './scenarios.js';
import { Random } from './random.js';
import { describeRound, type Round } from './schedule.js';
import type { Change } from './listener-history.js';
import { type RunCounters } from './run-counters.js';
import { Workload } from './workload.js';

/** Ends a run that hangs. No check depends on time otherwise. */
const HANG_TIMEOUT_MS = 120_000;
/** Small enough that a batch of large values or a backlog often exceeds it. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

export interface LaboratoryOptions {
  /** `major.minor` of etcd. */
  readonly version: string | undefined;
  readonly seed: number;
  readonly environment: LabEnvironment;
  /** Collects the counters of the run. */
  readonly counters: RunCounters;
  readonly hangTimeoutMs?: number;
}

/** Three members, writers, listeners, faults and checkers. */
export class Laboratory {
  readonly counters: RunCounters;
  readonly injector: Injector;
  readonly writeChecker = new WriteChecker();
  readonly #options: LaboratoryOptions;
  readonly #random: Random;
  readonly #schedule: string[] = [];
  readonly #otherViolations: string[] = [];
  #acknowledged = 0;
  #accepted = 0;
  readonly workload: Workload;

  private constructor(
    readonly cluster: LabCluster,
    readonly recorder: StoreRecorder,
    readonly app: LabApplication,
    options: LaboratoryOptions,
  ) {
    this.#options = options;
    this.counters = options.counters;
    this.injector = new Injector(cluster);
    this.#random = new Random(options.seed);
    this.workload = new Workload(cluster.direct, this.writeChecker, app, this.#random.fork());
  }

  static async start(options: LaboratoryOptions): Promise<Laboratory> {
    const cluster = await LabCluster.start(options.version, options.environment);
    const recorder = await StoreRecorder.start(cluster.direct);
    const grpcOptions = { 'grpc.max_receive_message_length': MAX_MESSAGE_BYTES };
    const app = await LabApplication.start(recorder.storeHistory, { ...cluster.access, grpcOptions });
    return new Laboratory(cluster, recorder, app, options);
  }

  /** Runs one round and then all checks. @throws LabFailure if a check fails */
  async run(round: Round): Promise<void> {
    this.#schedule.push(describeRound(round));
    this.counters.rounds += 1;
    this.injector.mark();
    try {
      this.workload.start();
      await this.workload.afterMore(20);
      const [first] = round.faults;
      for (const { kind } of round.faults) this.counters.faultInjected(kind);
      if (first && isScenario(first)) {
        await runScenario(first, this, round.writes);
        await this.check();
      } else await this.#injectFaults(round);
    } catch (error) {
      throw error instanceof LabFailure ? error : this.#failure([], error);
    }
  }

  /** Adds a violation that no history shows. It fails the round. */
  addViolation(violation: string): void {
    this.#otherViolations.push(violation);
  }

  /**
   * Writes to every range and records the time until all listeners have received the write, counted from `since`: the
   * fault or its end. The time that etcd needs for the write is excluded.
   */
  async measureRecovery(kinds: readonly string[], since: number): Promise<void> {
    const revision = await this.workload.touch();
    const written = performance.now();
    const listeners = this.app.listeners.filter(({ isSlow }) => !isSlow);
    await this.waitUntilDelivered(revision, listeners);
    const last = Math.max(...listeners.map(({ log }) => log.touchedAt(revision) ?? 0));
    for (const kind of kinds) this.counters.recovered(kind, Math.max(0, last - Math.max(since, written)));
  }

  /** Resolves when the listeners have received a revision that touched every range. */
  async waitUntilDelivered(revision: number, listeners: readonly LabListener[] = this.app.listeners): Promise<void> {
    const waiting = (): readonly LabListener[] => listeners.filter(({ log }) => log.touchedAt(revision) === undefined);
    await eventually(() => waiting().length === 0, this.#hangTimeout).catch(() => {
      throw this.#failure(
        waiting().map(({ log, subscription }) => {
          const status = subscription ? ` (its status is "${subscription.status}")` : '';
          return `hangs: ${log.name} did not receive revision ${revision} within ${this.#hangTimeout.withinMs} ms${status}`;
        }),
      );
    });
  }

  /** Stops the workload, waits for all deliveries and runs all checks. @throws LabFailure if a check fails */
  async check(): Promise<void> {
    await this.workload.pause();
    this.app.resume();
    const revision = await this.workload.touch();
    await this.recorder.reached(revision);
    await this.waitUntilDelivered(revision);
    await eventually(
      () => this.app.listeners.every(({ subscription }) => (subscription?.pending ?? 0) === 0),
      this.#hangTimeout,
    );
    const contents = await this.recorder.contentsAt(revision);
    this.#compareRecorder(revision, contents);
    this.writeChecker.check(this.recorder.storeHistory.current, revision);
    for (const { log } of this.app.listeners) {
      log.check(revision, contents);
      this.counters.addResult(log.result);
    }
    const violations = [...this.#violations(), ...this.#compareStore(contents), ...(await this.#countStreams())];
    this.#count();
    if (violations.length > 0) throw this.#failure(violations);
    this.recorder.storeHistory.current.forgetBefore(revision);
  }

  async stop(): Promise<void> {
    await this.workload.pause();
    await this.app.stop();
    await this.recorder.stop();
    await this.cluster.stop();
  }

  get #hangTimeout(): { readonly withinMs: number } {
    return { withinMs: this.#options.hangTimeoutMs ?? HANG_TIMEOUT_MS };
  }

  async #injectFaults({ faults, writes, awaitsRecovery }: Round): Promise<void> {
    const kinds = faults.map(({ kind }) => kind);
    const heals = [];
    const injectedAt = performance.now();
    for (const fault of faults) {
      heals.push(await this.injector.inject(fault as Parameters<Injector['inject']>[0]));
      await this.workload.afterMore(10);
    }
    const joining = this.#join();
    // If the round fails first, that failure is reported instead.
    joining.catch(() => undefined);
    const recoversDuringFault = awaitsRecovery && faults.every(isSurvivable);
    if (recoversDuringFault) await this.measureRecovery(kinds, injectedAt);
    await this.workload.afterMore(writes);
    for (const heal of heals.reverse()) await heal();
    await this.measureRecovery(recoversDuringFault ? [] : kinds, performance.now());
    const joined = await joining;
    await this.workload.afterMore(20);
    await this.check();
    for (const { close } of joined) await close();
  }

  /** Adds listeners during the faults. */
  async #join(): Promise<readonly LabListener[]> {
    const { first, head } = this.recorder.storeHistory.current;
    const from = this.#random.int(first, Math.max(first, head));
    return Promise.all([
      eventually(() => this.app.joinLate(), this.#hangTimeout),
      eventually(() => this.app.joinFrom(from), this.#hangTimeout),
    ]);
  }

  #count(): void {
    const accepted = this.cluster.proxies.reduce((sum, proxy) => sum + proxy.accepted, 0);
    this.counters.operations += this.workload.acknowledged - this.#acknowledged;
    this.counters.connections += accepted - this.#accepted;
    this.#acknowledged = this.workload.acknowledged;
    this.#accepted = accepted;
  }

  #violations(): string[] {
    const results = this.app.listeners.map(({ log }) => log.result);
    return [
      ...this.writeChecker.violations,
      ...this.app.violations,
      ...results.flatMap(({ violations }) => violations.map(({ message }) => message)),
      ...this.#otherViolations,
    ];
  }

  /** Checks the recorder itself against a linearizable read. */
  #compareRecorder(revision: number, contents: ReadonlyMap<string, Change>): void {
    const wrong = differenceBetween(this.recorder.storeHistory.current.stateAt(revision), contents, revision);
    if (wrong.size > 0)
      throw this.#failure([`the recorded history differs from etcd for ${[...wrong.keys()].join(', ')}`]);
  }

  #compareStore(contents: ReadonlyMap<string, Change>): string[] {
    const { store } = this.app;
    const expected = new Map([...contents].filter(([key]) => key.startsWith(RANGES.configs)));
    const wrong = [...expected].filter(([key, { value }]) => {
      const config = store.get(key, LabConfig);
      return value !== (config && fingerprint(Buffer.from(JSON.stringify(config))));
    });
    const tooMany = store.keys(RANGES.configs).filter((key) => !expected.has(key));
    return [...wrong.map(([key]) => key), ...tooMany].map(
      (key) => `wrong state: the store differs from etcd for "${key}"`,
    );
  }

  /**
   * Expects one stream per target, regardless of the number of listeners, plus the recorder's stream on each member.
   */
  async #countStreams(): Promise<string[]> {
    const expected = this.app.targets + this.cluster.members.length;
    let served = 0;
    try {
      await eventually(async () => (served = await this.cluster.watchers()) === expected, this.#hangTimeout);
      this.counters.streams = this.app.targets;
      return [];
    } catch {
      return [
        `streams: the members serve ${served - this.cluster.members.length} streams for ${this.app.targets} targets`,
      ];
    }
  }

  #failure(violations: readonly string[], cause?: unknown): LabFailure {
    const { seed } = this.#options;
    return new LabFailure({ version: this.cluster.etcd.version, seed, schedule: this.#schedule, violations }, cause);
  }
}
