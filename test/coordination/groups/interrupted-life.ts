import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, type Type } from '@nestjs/common';
import { IsInt } from 'class-validator';
import {
  BootError,
  ConnectionError,
  type DeliveryContext,
  type EtcdTriggerOptions,
  GroupRegistry,
  InjectWatcher,
  UnknownOutcomeError,
  type WatchEvent,
  WatchKey,
  WatcherService,
} from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { startApp, type StartedApp } from '../../support/start-app.js';
import { type Cut, InterruptedClient, type SentRequest } from './interrupted-client.js';
import { violationsIn } from './interrupted-history.js';

/** Names the partition's owner that has written it. */
class Effect {
  @IsInt() token!: number;
}

const RETRY = { attempts: 2, backoff: { initialMs: 1 } };
const LEASE_MS = 10_000;
const LIMIT_MS = 20_000;
const SLOW_MS = 5;

/** Thrown to end the life of an instance that is interrupted. */
class Interrupted extends Error {}

const GROUPS = ['billing', 'mailing'] as const;

/** A cluster, what is written to it, and whether the handlers can handle it. */
class World {
  readonly fake = new FakeCluster();
  readonly #written: string[] = [];
  isHealed = false;

  constructor(written: readonly string[] = []) {
    this.#written.push(...written);
  }

  get written(): readonly string[] {
    return this.#written;
  }

  /** Writes events of both groups, unless they were written before. */
  write(...names: readonly string[]): void {
    for (const group of GROUPS) {
      for (const name of names) {
        const [key = '', value = ''] = name.split('=');
        const event = `${group}/${name}`;
        if (this.#written.includes(event)) continue;
        this.#written.push(event);
        if (value === '') this.fake.delete(`/${group}/${key}`);
        else this.fake.put(`/${group}/${key}`, value);
      }
    }
  }

  /** The events that have no effect and are not parked. */
  get open(): string[] {
    const parked = new Set(this.#parked.map(({ key }) => key));
    return this.#written.filter(
      (event) => !this.fake.get(`/effects/${event}`) && !parked.has(`/${event.split('=')[0] ?? ''}`),
    );
  }

  get parkedCount(): number {
    return this.#parked.length;
  }

  get #parked(): { readonly key: string }[] {
    return GROUPS.flatMap((group) => this.fake.keys(`/co/v1/groups/${group}/parked/`)).map(
      (key) => this.fake.json(key) as { readonly key: string },
    );
  }

  /** The handler of the group whose effects are written with `commit()`. */
  get billing(): Type {
    const check = this.#check;
    @Injectable()
    class Billing {
      @WatchKey('/billing/', { group: { name: 'billing', partitions: 2 }, onExhausted: 'park', retry: RETRY })
      async on(event: WatchEvent, { commit, fence }: DeliveryContext): Promise<void> {
        await check(event);
        const token = fence?.token ?? 0;
        await commit((tx) => {
          tx.put(effectOf(event), Effect, { token });
          tx.put(`/second${effectOf(event)}`, Effect, { token });
        });
      }
    }
    return Billing;
  }

  /** The handler of the group whose effects are only fenced. */
  get mailing(): Type {
    const check = this.#check;
    @Injectable()
    class Mailing {
      constructor(@InjectWatcher() readonly watcher: WatcherService) {}

      @WatchKey('/mailing/', { group: 'mailing', onExhausted: 'park', retry: RETRY })
      async on(event: WatchEvent, { fence }: DeliveryContext): Promise<void> {
        await check(event);
        if (!fence) throw new TypeError('a group has a fence');
        await this.watcher.put(effectOf(event), JSON.stringify({ token: fence.token }), { fence });
      }
    }
    return Mailing;
  }

  start(
    pod: string,
    client: EtcdTriggerOptions['client'],
    providers: Type[] = [this.billing, this.mailing],
  ): Promise<StartedApp> {
    const configs = ['/effects/', '/second/effects/'].map((prefix) => ({ prefix, type: Effect }));
    const coordination = { prefix: '/co', ttlSeconds: LEASE_MS / 1_000 };
    const shutdown = { drainTimeoutMs: 300 };
    return startApp({ hosts: '', client, podName: pod, coordination, configs, shutdown }, { providers });
  }

  readonly #check = async ({ key }: WatchEvent): Promise<void> => {
    // Later events are handled meanwhile.
    if (key.includes('slow')) await sleep(SLOW_MS);
    if (key.includes('poison') && !this.isHealed) throw new TypeError('poison');
  };
}

const effectOf = ({ key, value }: WatchEvent): string => `/effects${key}=${value?.toString() ?? ''}`;

/** Gives `billing` a past: a cursor, effects, and a parked event. */
export interface Before {
  readonly snapshot: ReturnType<FakeCluster['snapshot']>;
  readonly written: readonly string[];
}

/** `billing` was used before, and `mailing` was not. */
export async function prepare(): Promise<Before> {
  const world = new World();
  world.write('a-slow=1', 'old=1', 'both=1', 'poison-old=1');
  const started = await world.start('before', world.fake, [world.billing]);
  await settled(started.app);
  await started[Symbol.asyncDispose]();
  return { snapshot: world.fake.snapshot(), written: world.written };
}

/** The requests of an instance that nothing interrupts. */
export async function requestsOf(before: Before): Promise<readonly SentRequest[]> {
  const world = worldAfter(before);
  const client = new InterruptedClient(world.fake);
  await new Life(world, 'first', client).run();
  return client.requests;
}

/** What was found after an instance was interrupted and another one has finished. */
export interface InterruptedRun {
  /** False if the instance has sent other requests than before. */
  readonly wasInterrupted: boolean;
  readonly violations: readonly string[];
  /** Resolves when the application of the interrupted instance has closed. */
  readonly ended: Promise<void>;
}

export async function interruptedRun(before: Before, cut: Cut): Promise<InterruptedRun> {
  const world = worldAfter(before);
  const client = new InterruptedClient(world.fake, cut);
  const first = new Life(world, 'first', client);
  const second = new Life(world, 'second', world.fake);
  const failure = first.run().then(
    () => undefined,
    (error: unknown) => error,
  );
  const end = async (): Promise<void> => {
    await failure;
    await first.end();
  };
  const violations: string[] = [];
  try {
    const error = await (cut.interruption === 'failed' ? failure : Promise.race([failure, client.interrupted]));
    // An application may start only with its configuration.
    if (error instanceof Error && !(error instanceof BootError || error instanceof Interrupted)) throw error;
    client.expireLeases();
    world.write('between=1');
    await second.run(async () => {
      client.continue();
      await second.until('the other instance has continued', () => settledNow(world.fake));
      world.write('last=1', 'both=3');
    });
    if (cut.interruption !== 'cut') await end();
    violations.push(...violationsIn(world.fake, world.written));
  } catch (error) {
    violations.push(String(error));
  }
  return { wasInterrupted: client.isInterrupted, violations, ended: end() };
}

function worldAfter({ snapshot, written }: Before): World {
  const world = new World(written);
  world.fake.restore(snapshot);
  return world;
}

async function settledNow(target: Parameters<typeof settled>[0]): Promise<boolean> {
  await settled(target);
  return true;
}

async function isRedriven(registry: GroupRegistry, group: string): Promise<boolean> {
  try {
    await registry.redrive(group);
    return true;
  } catch (error) {
    if (error instanceof ConnectionError || error instanceof UnknownOutcomeError) return false;
    throw error;
  }
}

/** The life of one instance. */
class Life {
  readonly #world: World;
  readonly #pod: string;
  readonly #client: InterruptedClient | FakeCluster;
  #started: StartedApp | undefined;

  constructor(world: World, pod: string, client: InterruptedClient | FakeCluster) {
    this.#world = world;
    this.#pod = pod;
    this.#client = client;
  }

  /** @throws Interrupted */
  async run(beforeEnd: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    const { fake } = this.#world;
    const world = this.#world;
    this.#started = await world.start(this.#pod, this.#client);
    const { app } = this.#started;
    fake.advance(LEASE_MS + 5_000);
    await this.until('the first events are handled', () => world.open.length === 0);
    world.write('a-slow=2', 'both=2', 'live=1', 'also=1', 'poison-new=1', 'old=');
    await this.until('the later events are handled', () => world.open.length === 0);
    fake.advance(1_000);
    await this.until('the cursors are stored', () => settledNow(app));
    world.isHealed = true;
    const registry = app.get(GroupRegistry);
    for (const group of GROUPS) await this.until('the events are redriven', () => isRedriven(registry, group));
    await this.until('the parked events are handled', () => world.parkedCount === 0);
    await beforeEnd();
    await this.until('the last events are handled', () => world.open.length === 0);
    await this.end();
  }

  async end(): Promise<void> {
    await this.#started?.[Symbol.asyncDispose]();
  }

  async until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = performance.now() + LIMIT_MS;
    while (!(await check())) {
      if (this.#isInterrupted) throw new Interrupted();
      if (performance.now() >= deadline) {
        throw new Error(`never reached by the ${this.#pod} instance: ${what}; open: ${this.#world.open.join()}`);
      }
      await sleep(1);
    }
    if (this.#isInterrupted) throw new Interrupted();
  }

  get #isInterrupted(): boolean {
    return this.#client instanceof InterruptedClient && this.#client.isStopped;
  }
}
