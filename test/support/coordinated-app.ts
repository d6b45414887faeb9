import { Injectable } from '@nestjs/common';
import {
  ClusterCron,
  type ClusterCronTick,
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
  registration: ServiceRegistration<{ pod: string }> | undefined;

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

  /** Resolves when the application ends. */
  async keepLock(): Promise<void> {
    for (;;) {
      const lock = await this.clusterLocks.acquire('one').catch(() => undefined);
      if (!lock) return;
      this.locks.push(lock.fence);
      await aborted(lock.fence.signal);
      await lock.release();
    }
  }
}

const aborted = async (signal: AbortSignal): Promise<void> => {
  if (signal.aborted) return;
  await new Promise((resolve) => {
    signal.addEventListener('abort', resolve, { once: true });
  });
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
