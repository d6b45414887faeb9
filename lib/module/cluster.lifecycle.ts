import type { OnApplicationBootstrap, OnApplicationShutdown, OnModuleDestroy } from '@nestjs/common';
import type { ClusterRuntime } from './cluster.runtime.js';
import type { ShutdownHooksReminder } from './shutdown-hooks.reminder.js';
import type { HandlerRegistrar } from '../handlers/handler.registrar.js';

/** When a cluster's parts begin and end, in the life of the application. */
export class ClusterLifecycle implements OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown {
  constructor(
    private readonly cluster: ClusterRuntime,
    private readonly registrar: HandlerRegistrar,
    /** One for the application. */
    private readonly reminder: ShutdownHooksReminder | undefined,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    try {
      this.cluster.open();
      await this.registrar.register();
    } catch (error) {
      await this.cluster.drain();
      this.cluster.close();
      throw error;
    }
    if (this.registrar.hasHandlers) this.reminder?.started();
  }

  async onModuleDestroy(): Promise<void> {
    this.reminder?.stopped();
    await this.cluster.drain();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.cluster.shutdown();
  }
}
