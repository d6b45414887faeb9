import type { ApplicationConfig } from '@nestjs/core';
import type { DocumentLimits } from '../dto/document-limits.js';
import { BootError, type BootProblem, EtcdTriggerError, WatchError } from '../etcd-trigger.errors.js';
import type { InstanceLog } from '../etcd-trigger.log.js';
import { type BootPolicy, bootProblem, bootWait } from '../watch/sharing/boot-policy.js';
import type { ResyncNotice, WatchFailure } from '../watch/watch-event.js';
import type { WatcherService } from '../watch/watcher.service.js';
import { resolveGroup } from '../coordination/groups/group-options.js';
import { quoted } from '../foreign/foreign-text.js';
import type { GroupAttacher } from './group-attacher.js';
import { classesWithoutArguments } from './constructor-arguments.js';
import type { DecoratedMethod } from './decorated-method.js';
import type { HandlerExplorer } from './handler.explorer.js';
import { faultsOf } from './handler.faults.js';
import { invokerOf } from './handler.invoker.js';
import { HandlerListeners } from './handler.listeners.js';
import { type HandlerPlan, planOf } from './handler.plan.js';
import { faultsIn, methodProblem, type MethodRegistrar, type MethodsPlan } from './method-registrar.js';
import { describeHandlerTarget, handlerTargetOf } from './handler-target.js';
import { type Pin, pinnedHandler } from './pinned-handler.js';
import { unknownCluster } from './unknown-cluster.js';
import { WatchKeyHandler } from './watch-key.handler.js';
import type { WatchKeyRegistry } from './watch-key.registry.js';

export interface HandlerRegistrarOptions {
  readonly cluster: string;
  /** All clusters of the application. A handler of any other cluster can never run. */
  readonly clusters: ReadonlySet<string>;
  /** Called each time handlers are attached. */
  readonly boot: () => BootPolicy;
  /** Provides the global enhancers; `undefined` unless `handlers.useGlobalEnhancers` is set. */
  readonly application: ApplicationConfig | undefined;
  readonly log: InstanceLog;
  /** Connects the handlers that have a group. */
  readonly groups: GroupAttacher;
  /** Limits of the payloads of handlers with a `type`. */
  readonly limits: DocumentLimits;
  /** Set if the reads of each call are pinned. */
  readonly pin?: Pin | undefined;
}

interface Entry {
  readonly plan: HandlerPlan;
  readonly handler: WatchKeyHandler;
}

/** Attaches the decorated methods of one cluster to its watches. */
export class HandlerRegistrar implements MethodRegistrar {
  readonly #entries: Entry[] = [];
  readonly #listeners: HandlerListeners;

  constructor(
    private readonly explorer: HandlerExplorer,
    private readonly watcher: WatcherService,
    private readonly registry: WatchKeyRegistry,
    private readonly options: HandlerRegistrarOptions,
  ) {
    this.#listeners = new HandlerListeners(options.cluster, watcher.guard);
  }

  /** The plan adds the methods to the registry, and does not attach them. */
  plan(methods: readonly DecoratedMethod[]): MethodsPlan {
    const { cluster } = this.options;
    const problems = [
      ...this.explorer.unreachable().map(({ name, fault }) => methodProblem(cluster, name, `can never run: ${fault}`)),
      ...classesWithoutArguments(methods).map(({ name, fault }) => methodProblem(cluster, name, fault)),
      ...methods.flatMap((method) => this.#problemsOf(method)),
    ];
    if (problems.length === 0) problems.push(...this.options.groups.problemsOf(this.#plansOf(methods)));
    return {
      problems,
      apply: () => {
        this.#add(methods);
      },
    };
  }

  /**
   * Attaches the handlers that are not attached. Resolves when each has its initial list, or may start without it.
   * @throws BootError naming every list that could not be read; then none of these handlers is attached
   */
  async attach(): Promise<void> {
    const boot = this.options.boot();
    const unregistered = this.#entries.filter(({ handler }) => handler.state === 'unregistered');
    const results = await Promise.all(unregistered.map((entry) => this.#attach(entry, boot)));
    const problems = results.filter((problem) => problem !== undefined);
    if (problems.length > 0 && boot.policy !== 'degraded') {
      for (const { handler } of unregistered) await handler.detach();
      throw new BootError(problems);
    }
    for (const { message } of problems)
      this.options.log.warn(`started without the initial list of ${message}; retrying`);
  }

  #add(methods: readonly DecoratedMethod[]): void {
    const { log } = this.options;
    const entries = this.#plansOf(methods).map((plan): Entry => ({ plan, handler: new WatchKeyHandler(plan) }));
    for (const entry of entries) this.#entries.push(entry);
    const targets = this.#entries.map(({ plan }) => plan.target);
    for (const line of this.#listeners.add(methods, targets)) log.warn(line);
    this.registry.fill(this.#entries.map(({ handler }) => handler));
  }

  #plansOf(methods: readonly DecoratedMethod[]): HandlerPlan[] {
    return methods
      .flatMap((method) => method.watchKeys.map((watchKey) => planOf(method, watchKey)))
      .filter((plan) => plan.cluster === this.options.cluster);
  }

  async #attach({ plan, handler }: Entry, boot: BootPolicy): Promise<BootProblem | undefined> {
    const { log, application, cluster, limits, pin } = this.options;
    const { name, target, options } = plan;
    const onResyncs = this.#listeners.onResync(target);
    const onFailure = this.#listeners.onError(target);
    const { guard } = this.watcher;
    const onResync = (notice: ResyncNotice): Promise<unknown> =>
      Promise.all([
        guard.settle('onResync', `onResync of ${name}`, () => options.onResync?.(notice)),
        onResyncs(notice),
      ]);
    try {
      const { counters, times } = handler;
      const invoker = times.of(pinnedHandler(invokerOf(plan, { log, counters, application, limits }), pin));
      if (options.group !== undefined) {
        const onError = (failure: WatchFailure): Promise<unknown> =>
          Promise.all([
            guard.settle('onError', `onError of ${name}`, () => options.onError?.(failure)),
            onFailure(failure),
          ]);
        handler.attached(this.options.groups.attach(plan, invoker, { onResync, onError }));
        const { name: group } = resolveGroup(options.group);
        log.info(`${name} handles ${handler.targetName} on one instance, as group ${quoted(group)}`);
        return undefined;
      }
      const { subscription, listed } = this.watcher.attach(
        target.range.target,
        invoker,
        { ...options, onResync },
        { name, onFailure, wait: bootWait(boot) },
      );
      handler.attached(subscription);
      log.info(`${name} watches ${handler.targetName}`);
      await listed;
      return undefined;
    } catch (error) {
      const failure =
        error instanceof EtcdTriggerError ? error : new WatchError('failed unexpectedly', { cause: error });
      return bootProblem(cluster, `${name} (${describeHandlerTarget(target)})`, failure);
    }
  }

  #problemsOf(method: DecoratedMethod): BootProblem[] {
    const problem = (cluster: string, fault: string): BootProblem => methodProblem(cluster, method.name, fault);
    const watchKeys = method.watchKeys.flatMap((watchKey) => {
      const { cluster = 'default' } = watchKey.options;
      const faults = this.#faultsIn(cluster, () => faultsOf(planOf(method, watchKey)));
      return faults.map((fault) => problem(cluster, fault));
    });
    const listeners = [...method.onResyncs, ...method.onErrors].flatMap(({ target, cluster }) => {
      const faults = this.#faultsIn(cluster, () => {
        if (target !== undefined) handlerTargetOf(target);
        return [];
      });
      return faults.map((fault) => problem(cluster, fault));
    });
    return [...watchKeys, ...listeners];
  }

  #faultsIn(cluster: string, check: () => readonly string[]): readonly string[] {
    return this.options.clusters.has(cluster) ? faultsIn(check) : [unknownCluster(cluster)];
  }
}
