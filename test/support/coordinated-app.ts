import { Injectable } from '@nestjs/common';
import {
  ClusterCron,
  type ClusterCronTick,
  type ClusterLock,
  ClusterLocks,
  ClusterServices,
  type Election,
  type Fence,
  InjectElection,
  OnElected,
  type ServiceRegistration,
  WatcherService,
} from 'nestjs-etcd-trigger';
import { startApp } from './start-app.js';

/** Takes part in an election, acquires a lock again after each loss, and has a cron job. */
@Injectable()
export class Coordinated {
  /** All claims that it has had, in their order. */
  readonly terms: Fence[] = [];
  readonly locks: Fence[] = [];
  readonly ticks: ClusterCronTick[] = [];
  lock: ClusterLock | undefined;
  registration: ServiceRegistration<{ pod: string }> | undefined;
  readonly #stop = new AbortController();

  constructor(
    @InjectElection('one') readonly election: Election,
    readonly clusterLocks: ClusterLocks,
    readonly services: ClusterServices,
    readonly watcher: WatcherService,
  ) {}

  @OnElected('one')
  async run(term: Fence): Promise<void> {
    this.terms.push(term);
    await aborted(term.signal);
  }

  @ClusterCron('* * * * * *', { name: 'tick', missed: 'all' })
  tick(tick: ClusterCronTick): void {
    this.ticks.push(tick);
  }

  /** Every claim with `held`. */
  get held(): Fence[] {
    return [...this.terms, ...this.locks].filter(({ held }) => held);
  }

  async keepLock(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        this.lock = await this.clusterLocks.acquire('one', { signal });
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
      this.locks.push(this.lock.fence);
      await aborted(this.lock.fence.signal);
      await this.lock.release();
    }
  }

  beforeApplicationShutdown(): void {
    this.#stop.abort();
  }

  onModuleDestroy(): void {
    this.#stop.abort();
  }
}

const aborted = async (signal: AbortSignal): Promise<void> => {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
};

/** Starts an instance of an application that uses everything that instances share. */
export async function startCoordinated(hosts: string | string[], podName: string) {
  const started = await startApp(
    { hosts, podName, coordination: { prefix: '/coordination', ttlSeconds: 5 } },
    { providers: [Coordinated] },
  );
  const instance = started.app.get(Coordinated);
  void instance.keepLock();
  instance.registration = await instance.services.register('app', { pod: podName }, { id: podName });
  return Object.assign(instance, { [Symbol.asyncDispose]: () => started[Symbol.asyncDispose]() });
}

export type CoordinatedInstance = Awaited<ReturnType<typeof startCoordinated>>;

/** Records every moment in which several of the instances have a claim of one name, as seen in one turn of the loop. */
export class HeldSamples implements Disposable {
  readonly violations: string[] = [];
  count = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(instances: readonly Coordinated[]) {
    this.#timer = setInterval(() => {
      this.count += 1;
      for (const kind of ['terms', 'locks'] as const) {
        const held = instances.flatMap((each) => each[kind].filter((fence) => fence.held));
        if (held.length > 1) this.violations.push(`${kind}: ${held.map(({ token }) => token).join()}`);
      }
    }, 2);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
