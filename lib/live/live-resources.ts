import type { InstanceLog } from '../etcd-trigger.log.js';
import { ListenerGuard } from '../watch/delivery/listener-guard.js';
import type { LiveDescription } from './live.js';
import { LiveResource, type LiveResourceOptions } from './live-resource.js';

/** All live resources of a cluster. Closes them before its connections close. */
export class LiveResources {
  readonly #log: InstanceLog;
  readonly #guard: ListenerGuard;
  readonly #all = new Set<LiveResource<unknown, unknown>>();

  constructor(log: InstanceLog, observer: ConstructorParameters<typeof ListenerGuard>[1]) {
    this.#log = log;
    this.#guard = new ListenerGuard(log, observer);
  }

  /** Resources whose `create` is in progress. */
  get busy(): string[] {
    return [...this.#all].filter(({ isBusy }) => isBusy).map((resource) => `${resource.describe().name}: create`);
  }

  /**
   * Resolves when the first `create` has succeeded.
   * @throws what `LiveResource.start` throws; then the application cannot start, and all resources are disposed
   */
  async start<C, T>(options: Omit<LiveResourceOptions<C, T>, 'log' | 'guard'>): Promise<LiveResource<C, T>> {
    const resource = new LiveResource<C, T>({ ...options, log: this.#log, guard: this.#guard });
    const shared = resource as unknown as LiveResource<unknown, unknown>;
    this.#all.add(shared);
    try {
      await resource.start();
      return resource;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  describe(): LiveDescription[] {
    return [...this.#all].map((resource) => resource.describe());
  }

  /** Creates nothing more; the current resources stay until `close`. */
  stop(): void {
    for (const resource of this.#all) resource.stop();
  }

  /** Resolves when all resources are disposed, or their limits have passed. Idempotent. */
  async close(): Promise<void> {
    await Promise.all([...this.#all].map((resource) => resource.close()));
  }
}
