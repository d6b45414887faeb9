import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../../support/eventually.js';
import { Injector } from '../injector.js';
import { LabCluster } from '../lab-cluster.js';
import { LabFailure } from '../lab-failure.js';
import { Random } from '../random.js';
import type { RunCounters } from '../run-counters.js';
import { StoreRecorder } from '../store-recorder.js';
import { EffectChecker } from './effect-checker.js';
import { OrderWriters } from './order-writers.js';
import { describePodRound, injectPodFault, type PodRound, PODS } from './pod-faults.js';
import { PodFleet } from './pod-fleet.js';

/** Ends a run that hangs. No check depends on time otherwise. */
const HANG_TIMEOUT_MS = 180_000;
/** Writes go on for a moment before and after a fault, so that it meets work. */
const UNDISTURBED_MS = 500;

export interface PodLaboratoryOptions {
  /** `major.minor` of etcd. */
  readonly version: string;
  readonly seed: number;
  readonly counters: RunCounters;
}

/** Three members, writers of orders, and application processes that share two handler groups. */
export class PodLaboratory implements AsyncDisposable {
  readonly #checker = new EffectChecker();
  readonly #injector: Injector;
  readonly #schedule: string[] = [];
  readonly #cluster: LabCluster;
  readonly #recorder: StoreRecorder;
  readonly #fleet: PodFleet;
  readonly #writers: OrderWriters;
  readonly #options: PodLaboratoryOptions;

  private constructor(cluster: LabCluster, recorder: StoreRecorder, options: PodLaboratoryOptions) {
    const random = new Random(options.seed);
    this.#cluster = cluster;
    this.#recorder = recorder;
    this.#options = options;
    this.#injector = new Injector(cluster);
    this.#fleet = new PodFleet(cluster.etcd.hosts, random.fork());
    this.#writers = new OrderWriters(cluster.direct, random.fork());
  }

  static async start(options: PodLaboratoryOptions): Promise<PodLaboratory> {
    const cluster = await LabCluster.start(options.version, 'plain');
    const laboratory = new PodLaboratory(cluster, await StoreRecorder.start(cluster.direct), options);
    await laboratory.#fleet.scaleTo(PODS);
    return laboratory;
  }

  /** Full version of etcd. */
  get version(): string {
    return this.#cluster.etcd.version;
  }

  /** Runs one round and then all checks. @throws LabFailure if a check fails */
  async run(round: PodRound): Promise<void> {
    const { counters } = this.#options;
    const { fault, during } = round;
    this.#schedule.push(describePodRound(round));
    counters.rounds += 1;
    counters.faultInjected(fault.kind);
    if (during) counters.faultInjected(during.kind);
    this.#writers.start();
    await sleep(UNDISTURBED_MS);
    const heals = [during && (await this.#injector.inject(during)), await injectPodFault(fault, this.#fleet)];
    await sleep(UNDISTURBED_MS);
    for (const heal of heals) await heal?.();
    const healedAt = performance.now();
    await sleep(UNDISTURBED_MS);
    await this.#writers.pause();
    await this.#check();
    counters.recovered(fault.kind, performance.now() - healedAt);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writers.pause();
    await this.#fleet[Symbol.asyncDispose]();
    await this.#recorder.stop();
    await this.#cluster.stop();
  }

  /** Waits until every write has its effects, and checks all that was written. */
  async #check(): Promise<void> {
    const { current } = this.#recorder.storeHistory;
    // A linearizable read returns the revision that includes every write that was applied.
    const written = await this.#head();
    await this.#recorder.reached(written);
    const isComplete = (): boolean => {
      this.#checker.read(current, current.head);
      return this.#checker.missing === 0 || this.#checker.violations.length > 0;
    };
    await eventually(isComplete, { withinMs: HANG_TIMEOUT_MS }).catch(() => {
      this.#checker.finish();
    });
    this.#checker.read(current, current.head);
    current.forgetBefore(current.head);
    const { writes, effects, repeated, violations } = this.#checker;
    Object.assign(this.#options.counters, { orders: writes, effects, repeatedEffects: repeated });
    if (violations.length > 0) {
      const { seed } = this.#options;
      throw new LabFailure({ version: this.version, seed, schedule: this.#schedule, violations });
    }
  }

  #head(): Promise<number> {
    return eventually(async () => {
      const request = { key: Buffer.from('/'), count_only: true };
      const responses = this.#cluster.direct.map((member) =>
        member.call<{ readonly header: { readonly revision: string } }>('KV', 'Range', request),
      );
      return Number((await Promise.any(responses)).header.revision);
    });
  }
}
