import type { OnApplicationBootstrap, OnApplicationShutdown, OnModuleDestroy } from '@nestjs/common';
import { BootError } from '../etcd-trigger.errors.js';
import type { ProviderWrapper } from '../handlers/decorated-method.js';
import type { HandlerExplorer } from '../handlers/handler.explorer.js';
import type { HandlerRegistrar } from '../handlers/handler.registrar.js';
import type { ClusterRuntime } from './cluster.runtime.js';
import type { CronRegistrar } from './cron.registrar.js';
import type { ElectionRegistrar } from './election.registrar.js';
import type { ShutdownHooksReminder } from './shutdown-hooks.reminder.js';

/** Starts and stops one cluster with the lifecycle hooks of the application. */
export class ClusterLifecycle implements OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown {
  readonly #known = new WeakSet<ProviderWrapper>();

  constructor(
    private readonly cluster: ClusterRuntime,
    private readonly explorer: HandlerExplorer,
    private readonly registrars: ClusterRegistrars,
    /** Set for the first cluster of the application only, so that the warning appears once. */
    private readonly reminder: ShutdownHooksReminder | undefined,
  ) {
    cluster.unattached = () => explorer.explore().map(({ name }) => name);
  }

  async onApplicationBootstrap(): Promise<void> {
    const { cluster } = this;
    cluster.unattached = () => [];
    try {
      cluster.open();
      this.#register();
      cluster.registry.onRegister(async () => {
        this.#register();
        await this.registrars.handlers.attach();
      });
      if (cluster.options.handlers.register) await this.registrars.handlers.attach();
      cluster.coordination?.start();
    } catch (error) {
      await cluster.drain();
      await cluster.live.close();
      cluster.close();
      throw error;
    }
    this.reminder?.start();
  }

  async onModuleDestroy(): Promise<void> {
    this.reminder?.stop();
    await this.cluster.drain();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.cluster.shutdown();
  }

  /**
   * Registers the decorated methods of modules that were loaded since the last call.
   * @throws BootError naming every method that can never run
   */
  #register(): void {
    const { handlers, elections, crons } = this.registrars;
    const methods = this.explorer.explore().filter(({ wrapper }) => !this.#known.has(wrapper));
    const plans = [elections, crons, handlers].map((registrar) => registrar.plan(methods));
    const problems = plans.flatMap((plan) => plan.problems);
    if (problems.length > 0) throw new BootError(problems);
    for (const plan of plans) plan.apply();
    for (const { wrapper } of methods) this.#known.add(wrapper);
  }
}

/** They connect the decorated methods with the watches, elections and cron jobs of one cluster. */
export interface ClusterRegistrars {
  readonly handlers: HandlerRegistrar;
  readonly elections: ElectionRegistrar;
  readonly crons: CronRegistrar;
}
