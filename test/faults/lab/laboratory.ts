import { eventually } from '../../support/eventually.js';
import { differenceBetween } from './difference.js';
import { isOrdeal, isSurvivable } from './fault.js';
import { Injector } from './injector.js';
import { LabApplication, LabConfig, type LabListener } from './lab-application.js';
import { LabCluster, type LabEnvironment } from './lab-cluster.js';
import { LabFailure } from './lab-failure.js';
import { Ledger } from './ledger.js';
import { fingerprint, TruthRecorder } from './truth-recorder.js';
import { RANGES } from './operation.js';
import { undergo } from './ordeals.js';
import { Random } from './random.js';
import { describeRound, type Round } from './schedule.js';
import type { Change } from './history.js';
import { type Tally } from './tally.js';
import { Workload } from './workload.js';

/** Only ends what hangs; nothing is judged by time. */
const HANGS_AFTER_MS = 120_000;
/** One message holds less than this, so that what is larger is met often: a batch of large values, a backlog. */
const LARGEST_MESSAGE = 4 * 1024 * 1024;

export interface LaboratoryOptions {
  /** `major.minor` of etcd. */
  readonly version: string | undefined;
  readonly seed: number;
  readonly environment: LabEnvironment;
  /** Where it is counted what happens. */
  readonly tally: Tally;
  readonly hangsAfterMs?: number;
}

/** Three members, writers, listeners, faults, and somebody who compares. */
export class Laboratory {
  readonly tally: Tally;
  readonly injector: Injector;
  readonly ledger = new Ledger();
  readonly #options: LaboratoryOptions;
  readonly #random: Random;
  readonly #schedule: string[] = [];
  readonly #found: string[] = [];
  #acknowledged = 0;
  #accepted = 0;
  readonly workload: Workload;

  private constructor(
    readonly cluster: LabCluster,
    readonly recorder: TruthRecorder,
    readonly app: LabApplication,
    options: LaboratoryOptions,
  ) {
    this.#options = options;
    this.tally = options.tally;
    this.injector = new Injector(cluster);
    this.#random = new Random(options.seed);
    this.workload = new Workload(cluster.direct, this.ledger, app, this.#random.fork());
  }

  static async start(options: LaboratoryOptions): Promise<Laboratory> {
    const cluster = await LabCluster.start(options.version, options.environment);
    const recorder = await TruthRecorder.start(cluster.direct);
    const grpcOptions = { 'grpc.max_receive_message_length': LARGEST_MESSAGE };
    const app = await LabApplication.start(recorder.truth, { ...cluster.access, grpcOptions });
    return new Laboratory(cluster, recorder, app, options);
  }

  /** One round, at the end of which everything is compared. @throws LabFailure when something is wrong */
  async perform(round: Round): Promise<void> {
    this.#schedule.push(describeRound(round));
    this.tally.rounds += 1;
    this.injector.mark();
    try {
      this.workload.start();
      await this.workload.afterMore(20);
      const [first] = round.faults;
      for (const { kind } of round.faults) this.tally.struck(kind);
      if (first && isOrdeal(first)) {
        await undergo(first, this, round.writes);
        await this.settle();
      } else await this.#strike(round);
    } catch (error) {
      throw error instanceof LabFailure ? error : this.#failure([], error);
    }
  }

  /** Something that no history shows is wrong; the round ends with it. */
  found(violation: string): void {
    this.#found.push(violation);
  }

  /** Since a fault, or since it was healed: how long until what is written now has been given to everybody. Etcd's own time for the write is not counted. */
  async following(kinds: readonly string[], since: number): Promise<void> {
    const revision = await this.workload.touch();
    const written = performance.now();
    const listeners = this.app.listeners.filter(({ isSlow }) => !isSlow);
    await this.given(revision, listeners);
    const last = Math.max(...listeners.map(({ log }) => log.touchedAt(revision) ?? 0));
    for (const kind of kinds) this.tally.recovered(kind, Math.max(0, last - Math.max(since, written)));
  }

  /** Resolves when the listeners have been given a revision that touched every range. */
  async given(revision: number, listeners: readonly LabListener[] = this.app.listeners): Promise<void> {
    const waiting = (): readonly LabListener[] => listeners.filter(({ log }) => log.touchedAt(revision) === undefined);
    await eventually(() => waiting().length === 0, this.#hang).catch(() => {
      throw this.#failure(
        waiting().map(({ log, subscription }) => {
          const status = subscription ? ` (it says "${subscription.status}")` : '';
          return `hangs: ${log.name} was not given revision ${revision} within ${this.#hang.withinMs} ms${status}`;
        }),
      );
    });
  }

  /** Lets everything come to rest and compares. @throws LabFailure when something is wrong */
  async settle(): Promise<void> {
    await this.workload.pause();
    this.app.goOn();
    const revision = await this.workload.touch();
    await this.recorder.reached(revision);
    await this.given(revision);
    await eventually(
      () => this.app.listeners.every(({ subscription }) => (subscription?.pending ?? 0) === 0),
      this.#hang,
    );
    const held = await this.recorder.heldAt(revision);
    this.#compareTruth(revision, held);
    this.ledger.settle(this.recorder.truth.current, revision);
    for (const { log } of this.app.listeners) {
      log.settle(revision, held);
      this.tally.judged(log.verdict);
    }
    const violations = [...this.#violations(), ...this.#compareStore(held), ...(await this.#countStreams())];
    this.#count();
    if (violations.length > 0) throw this.#failure(violations);
    this.recorder.truth.current.forgetBefore(revision);
  }

  async stop(): Promise<void> {
    await this.workload.pause();
    await this.app.stop();
    await this.recorder.stop();
    await this.cluster.stop();
  }

  get #hang(): { readonly withinMs: number } {
    return { withinMs: this.#options.hangsAfterMs ?? HANGS_AFTER_MS };
  }

  async #strike({ faults, writes, endures }: Round): Promise<void> {
    const kinds = faults.map(({ kind }) => kind);
    const heals = [];
    const struck = performance.now();
    for (const fault of faults) {
      heals.push(await this.injector.inject(fault as Parameters<Injector['inject']>[0]));
      await this.workload.afterMore(10);
    }
    const joining = this.#join();
    // Should the round fail before they have joined, it fails for that.
    joining.catch(() => undefined);
    const isEndured = endures && faults.every(isSurvivable);
    if (isEndured) await this.following(kinds, struck);
    await this.workload.afterMore(writes);
    for (const heal of heals.reverse()) await heal();
    await this.following(isEndured ? [] : kinds, performance.now());
    const joined = await joining;
    await this.workload.afterMore(20);
    await this.settle();
    for (const { close } of joined) await close();
  }

  /** Listeners that come while things are broken. */
  async #join(): Promise<readonly LabListener[]> {
    const { first, head } = this.recorder.truth.current;
    const from = this.#random.int(first, Math.max(first, head));
    return Promise.all([
      eventually(() => this.app.joinLate(), this.#hang),
      eventually(() => this.app.joinFrom(from), this.#hang),
    ]);
  }

  #count(): void {
    const accepted = this.cluster.proxies.reduce((sum, proxy) => sum + proxy.accepted, 0);
    this.tally.operations += this.workload.acknowledged - this.#acknowledged;
    this.tally.connections += accepted - this.#accepted;
    this.#acknowledged = this.workload.acknowledged;
    this.#accepted = accepted;
  }

  #violations(): string[] {
    const verdicts = this.app.listeners.map(({ log }) => log.verdict);
    return [
      ...this.ledger.violations,
      ...this.app.violations,
      ...verdicts.flatMap(({ violations }) => violations.map(({ message }) => message)),
      ...this.#found,
    ];
  }

  /** The recorder is held against a linearizable read itself. */
  #compareTruth(revision: number, held: ReadonlyMap<string, Change>): void {
    const wrong = differenceBetween(this.recorder.truth.current.stateAt(revision), held, revision);
    if (wrong.size > 0) throw this.#failure([`the truth is not what etcd holds of ${[...wrong.keys()].join(', ')}`]);
  }

  #compareStore(held: ReadonlyMap<string, Change>): string[] {
    const { store } = this.app;
    const expected = new Map([...held].filter(([key]) => key.startsWith(RANGES.configs)));
    const wrong = [...expected].filter(([key, { value }]) => {
      const config = store.get(key, LabConfig);
      return value !== (config && fingerprint(Buffer.from(JSON.stringify(config))));
    });
    const tooMany = store.keys(RANGES.configs).filter((key) => !expected.has(key));
    return [...wrong.map(([key]) => key), ...tooMany].map(
      (key) => `wrong state: the store does not show what "${key}" holds`,
    );
  }

  /** One stream for a target, however many listen; what was cancelled is gone. The recorder has one at each member. */
  async #countStreams(): Promise<string[]> {
    const expected = this.app.targets + this.cluster.members.length;
    let served = 0;
    try {
      await eventually(async () => (served = await this.cluster.watchers()) === expected, this.#hang);
      this.tally.streams = this.app.targets;
      return [];
    } catch {
      return [`streams: the members serve ${served - this.cluster.members.length} for ${this.app.targets} targets`];
    }
  }

  #failure(violations: readonly string[], cause?: unknown): LabFailure {
    const { seed } = this.#options;
    return new LabFailure({ version: this.cluster.etcd.version, seed, schedule: this.#schedule, violations }, cause);
  }
}
