import type { ApplicationConfig } from '@nestjs/core';
import type { Coordination } from '../coordination/coordination.js';
import { checkName } from '../coordination/coordination-keys.js';
import { coordinationMissing } from '../coordination/coordination-options.js';
import { CronSchedule } from '../coordination/cron-schedule.js';
import type { InstanceLog } from '../etcd-trigger.log.js';
import { quoted } from '../foreign/foreign-text.js';
import type { DecoratedMethod } from '../handlers/decorated-method.js';
import type { ClusterCronMetadata } from '../handlers/decorators/cluster-cron.decorator.js';
import { tickFaultsOf } from '../handlers/handler.faults.js';
import { tickInvokerOf } from '../handlers/handler.invoker.js';
import { HandlerCounters } from '../handlers/handler.plan.js';
import {
  faultsIn,
  methodProblem,
  type MethodRegistrar,
  type MethodsPlan,
  usedTwice,
} from '../handlers/method-registrar.js';
import { unknownCluster } from '../handlers/unknown-cluster.js';
import { checkMilliseconds, checkOneOf } from '../option-checks.js';

export interface CronRegistrarOptions {
  readonly cluster: string;
  /** All clusters of the application. A job of any other cluster can never run. */
  readonly clusters: ReadonlySet<string>;
  /** `undefined` without the option `coordination`. */
  readonly coordination: Coordination | undefined;
  readonly log: InstanceLog;
  /** Provides the global enhancers; `undefined` unless `handlers.useGlobalEnhancers` is set. */
  readonly application: ApplicationConfig | undefined;
}

/** Connects the `@ClusterCron` methods of one cluster with its cron jobs. */
export class CronRegistrar implements MethodRegistrar {
  constructor(private readonly options: CronRegistrarOptions) {}

  /** The plan makes this instance take part in the jobs of the methods. */
  plan(methods: readonly DecoratedMethod[]): MethodsPlan {
    const { cluster, coordination, log } = this.options;
    const jobs: PlannedJob[] = [];
    const problems = methods.flatMap((method) =>
      method.clusterCrons.flatMap((cron) =>
        faultsIn(() => this.#plan(method, cron, jobs)).map((fault) => methodProblem(cluster, method.name, fault)),
      ),
    );
    return {
      problems,
      apply: () => {
        for (const job of jobs) {
          coordination?.cron(job);
          const { expression } = job.schedule;
          log.info(`${job.method} runs at ${quoted(expression)} on one instance, as job ${quoted(job.name)}`);
        }
      },
    };
  }

  /**
   * Adds the job unless there are faults.
   * @throws InvalidOptionsError
   */
  #plan(method: DecoratedMethod, { expression, options }: ClusterCronMetadata, jobs: PlannedJob[]): string[] {
    const { cluster = 'default', name, timeZone } = options;
    const { clusters, coordination, application } = this.options;
    if (!clusters.has(cluster)) return [unknownCluster(cluster)];
    if (cluster !== this.options.cluster) return [];
    if (!coordination) return [coordinationMissing('@ClusterCron', cluster).message];
    const { missed = 'once', graceMs = 60_000, overlap = 'skip' } = options;
    checkOneOf('"missed"', missed, ['skip', 'once', 'all']);
    checkOneOf('"overlap"', overlap, ['skip', 'wait']);
    checkMilliseconds('"graceMs"', graceMs, 0);
    const schedule = new CronSchedule(expression, timeZone);
    if (schedule.next(Date.now()) === undefined) return [`"${expression}" has no tick in the next years`];
    const faults = tickFaultsOf(method);
    if (faults.length > 0) return faults;
    checkName('"name"', name);
    const other = [...coordination.crons, ...jobs].find((job) => job.name === name);
    if (other) return [usedTwice(`the name "${name}"`, method.name, other.method)];
    const call = tickInvokerOf(method, { counters: new HandlerCounters(), application });
    jobs.push({ name, schedule, missed, graceMs, overlap, method: method.name, call });
    return [];
  }
}

type PlannedJob = Parameters<Coordination['cron']>[0];
