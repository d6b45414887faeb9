import type { OnApplicationBootstrap, OnApplicationShutdown, OnModuleDestroy } from '@nestjs/common';
import type { HandlerRegistrar } from '../handlers/handler.registrar.js';
import type { ClusterRuntime } from './cluster.runtime.js';
import type { CronRegistrar } from './cron.registrar.js';
import type { ElectionRegistrar } from './election.registrar.js';
import type { ShutdownHooksReminder } from './shutdown-hooks.reminder.js';

/** Starts and stops one cluster with the lifecycle hooks of the application. */
export class ClusterLifecycle implements OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown {
  constructor(
    private readonly cluster: ClusterRuntime,
    private readonly registrar: HandlerRegistrar,
    private readonly elections: ElectionRegistrar,
    private readonly crons: CronRegistrar,
    /** Set for the first cluster of the application only, so that the warning appears once. */
    private readonly reminder: ShutdownHooksReminder | undefined,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    try {
      this.cluster.open();
      this.elections.register();
      this.crons.register();
      await this.registrar.register();
      this.cluster.coordination?.start();
    } catch (error) {
      await this.cluster.drain();
      this.cluster.close();
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
}
