import type { ApplicationConfig } from '@nestjs/core';
import type { Coordination } from '../coordination/coordination.js';
import { coordinationMissing } from '../coordination/coordination-options.js';
import { CronSchedule } from '../coordination/cron-schedule.js';
import { BootError, type BootProblem, InvalidOptionsError } from '../etcd-trigger.errors.js';
import type { InstanceLog } from '../etcd-trigger.log.js';
import { quoted } from '../foreign/foreign-text.js';
import type { DecoratedMethod } from '../handlers/decorated-method.js';
import type { ClusterCronMetadata } from '../handlers/decorators/cluster-cron.decorator.js';
import { tickFaultsOf } from '../handlers/handler.faults.js';
import { tickInvokerOf } from '../handlers/handler.invoker.js';
import { HandlerCounters } from '../handlers/handler.plan.js';
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
export class CronRegistrar {
  constructor(private readonly options: CronRegistrarOptions) {}

  /**
   * Makes this instance take part in the jobs of these methods.
   * @throws BootError naming every method that can never run
   */
  register(methods: readonly DecoratedMethod[]): void {
    const problems = methods.flatMap((method) => method.clusterCrons.flatMap((cron) => this.#problemsOf(method, cron)));
    if (problems.length > 0) throw new BootError(problems);
  }

  /** Registers the job unless there are problems. */
  #problemsOf(method: DecoratedMethod, cron: ClusterCronMetadata): BootProblem[] {
    try {
      return this.#register(method, cron).map((fault) => this.#problem(method, fault));
    } catch (error) {
      if (error instanceof InvalidOptionsError) return [this.#problem(method, error.message)];
      throw error;
    }
  }

  #problem({ name: subject }: DecoratedMethod, fault: string): BootProblem {
    return { cluster: this.options.cluster, subject, reason: 'failed', message: `${subject}: ${fault}` };
  }

  /** @throws InvalidOptionsError */
  #register(method: DecoratedMethod, { expression, options }: ClusterCronMetadata): string[] {
    const { cluster = 'default', name, timeZone } = options;
    const { clusters, coordination, application, log } = this.options;
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
    const call = tickInvokerOf(method, { counters: new HandlerCounters(), application });
    coordination.cron({ name, schedule, missed, graceMs, overlap, method: method.name, call });
    log.info(`${method.name} runs at ${quoted(expression)} on one instance, as job ${quoted(name)}`);
    return [];
  }
}
