import {
  BootError,
  type BootProblem,
  EtcdTriggerError,
  InvalidOptionsError,
  WatchError,
} from '../etcd-trigger.errors.js';
import { bootProblem, type BootPolicy, bootWait } from '../watch/boot-policy.js';
import type { InstanceLog } from '../watch/instance-log.js';
import { KeyRange } from '../watch/key-range.js';
import { announceResync } from '../watch/listener-failure.js';
import type { ResyncNotice } from '../watch/watch-event.js';
import type { WatcherService } from '../watch/watcher.service.js';
import type { DecoratedMethod, HandlerExplorer } from './handler.explorer.js';
import { invokerOf } from './handler.invoker.js';
import type { WatchKeyMetadata } from './watch-key.decorator.js';

export interface HandlerRegistrarOptions {
  readonly cluster: string;
  /** Every cluster of the application: a handler of any other can never run. */
  readonly clusters: ReadonlySet<string>;
  readonly boot: BootPolicy;
  readonly log: InstanceLog;
}

interface ResyncMethod {
  /** Identity of the target it is for; `undefined` for every one. */
  readonly range: string | undefined;
  readonly name: string;
  readonly call: (notice: ResyncNotice) => unknown;
}

/** Wires the decorated methods of one cluster to its watches. */
export class HandlerRegistrar {
  constructor(
    private readonly explorer: HandlerExplorer,
    private readonly watcher: WatcherService,
    private readonly options: HandlerRegistrarOptions,
  ) {}

  /**
   * Resolves when every handler has its list, or may start without it.
   * @throws BootError naming every method that can never run, and every list that could not be read
   */
  async register(): Promise<void> {
    const methods = this.explorer.explore();
    const faults = methods.flatMap((method) => this.#faultsOf(method));
    if (faults.length > 0) throw new BootError(faults);
    const resyncs = methods.flatMap((method) => this.#resyncMethodsOf(method));
    const attaching = methods.flatMap((method) =>
      method.watchKeys
        .filter(({ options }) => clusterOf(options) === this.options.cluster)
        .map((watchKey) => this.#attach(method, watchKey, resyncs)),
    );
    const problems = (await Promise.all(attaching)).filter((problem) => problem !== undefined);
    if (problems.length === 0) return;
    if (this.options.boot.policy !== 'degraded') throw new BootError(problems);
    for (const { message } of problems)
      this.options.log.warn(`started without the list of ${message}; it goes on trying`);
  }

  async #attach(
    method: DecoratedMethod,
    { target, options }: WatchKeyMetadata,
    resyncs: readonly ResyncMethod[],
  ): Promise<BootProblem | undefined> {
    const { log, boot, cluster } = this.options;
    const range = KeyRange.of(target);
    const concerned = resyncs.filter((resync) => resync.range === undefined || resync.range === range.identity);
    const { subscription, listed } = this.watcher.attach(
      target,
      { event: invokerOf(method) },
      {
        ...options,
        onResync: (notice) => {
          announceResync(notice, { name: method.name, log, onResync: options.onResync });
          for (const { name, call } of concerned) announceResync(notice, { name, log, onResync: call });
        },
      },
      { name: method.name, wait: bootWait(boot) },
    );
    try {
      await listed;
      return undefined;
    } catch (error) {
      if (boot.policy !== 'degraded') await subscription.close();
      const subject = `${method.name} (${range.toString()})`;
      const known = error instanceof EtcdTriggerError ? error : new WatchError('failed unexpectedly', { cause: error });
      return bootProblem(cluster, subject, known);
    }
  }

  #resyncMethodsOf(method: DecoratedMethod): ResyncMethod[] {
    return method.onResyncs
      .filter(({ cluster }) => cluster === this.options.cluster)
      .map(({ target }) => ({
        range: target === undefined ? undefined : KeyRange.of(target).identity,
        name: method.name,
        call: invokerOf(method),
      }));
  }

  #faultsOf({ name, watchKeys, onResyncs }: DecoratedMethod): BootProblem[] {
    const wanted = [
      ...watchKeys.map(({ target, options }) => ({ target, cluster: clusterOf(options) })),
      ...onResyncs.map(({ target = { prefix: '' }, cluster }) => ({ target, cluster })),
    ];
    return wanted.flatMap(({ target, cluster }) => {
      const fault = this.#faultOf(target, cluster);
      return fault ? [{ cluster, subject: name, reason: 'failed' as const, message: `${name}: ${fault}` }] : [];
    });
  }

  #faultOf(target: WatchKeyMetadata['target'], cluster: string): string | undefined {
    if (!this.options.clusters.has(cluster)) {
      return `there is no cluster "${cluster}"; import EtcdTriggerModule.forRoot({ cluster: '${cluster}', ... })`;
    }
    try {
      KeyRange.of(target);
      return undefined;
    } catch (error) {
      if (error instanceof InvalidOptionsError) return error.message;
      throw error;
    }
  }
}

const clusterOf = ({ cluster = 'default' }: WatchKeyMetadata['options']): string => cluster;
