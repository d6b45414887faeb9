import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { type INestApplicationContext, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { IsString } from 'class-validator';
import {
  type DeliveryContext,
  EtcdTriggerModule,
  type GroupOptions,
  GroupRegistry,
  type WatchEvent,
  WatchKey,
} from 'nestjs-etcd-trigger';
import { options, startSample } from '../contender.js';
import { metricOf } from '../etcd-metrics.js';
import type { GroupWork } from '../groups.js';

const { hosts, work, count, group } = options() as {
  hosts: string[];
  work: GroupWork;
  count: number;
  group: string;
};

const BENCH = '/b/';
const WATCHED = '/o/';
const PARTITIONS = 16;
const CHECKPOINT = { everyEvents: 1_000 };

class Effect {
  @IsString() value!: string;
}

/** Starts an application with one handler. Without a group, every instance handles every event. */
function start(
  target: string,
  onEvent: (event: WatchEvent, context: DeliveryContext) => unknown,
  handled: { readonly group?: GroupOptions; readonly fromRevision?: number },
): Promise<INestApplicationContext> {
  class Handler {
    @WatchKey(target, handled)
    on(event: WatchEvent, context: DeliveryContext): unknown {
      return onEvent(event, context);
    }
  }
  return create(Handler);
}

function create(handler: Type<object>): Promise<INestApplicationContext> {
  @Module({
    imports: [
      EtcdTriggerModule.forRoot({
        client: { hosts },
        coordination: { prefix: '/coordination', settleMs: 100 },
        configs: [{ prefix: '/effects/', type: Effect }],
      }),
    ],
    providers: [handler],
  })
  class Root {}
  return NestFactory.createApplicationContext(Root, { logger: false });
}

/** Resolves when this instance follows every partition of the group. */
async function owned(app: INestApplicationContext): Promise<void> {
  const isFollowing = (): boolean => {
    const partitions = app.get(GroupRegistry).list()[0]?.partitions ?? [];
    return partitions.length > 0 && partitions.every(({ state }) => state === 'following');
  };
  while (!isFollowing()) await sleep(1);
}

async function prepare(target: string, of: GroupOptions): Promise<void> {
  const app = await start(target, () => undefined, { group: of });
  await owned(app);
  const finish = startSample();
  await app.close();
  finish(count);
}

const WORKS: Record<GroupWork, () => Promise<void>> = {
  /** Writes the cursors from which `group` resumes. */
  prepare: () => prepare(BENCH, { name: group, from: 'now', checkpoint: CHECKPOINT }),

  /** Events since the cursor. */
  async group() {
    const finish = startSample();
    await start(BENCH, collecting(finish), { group: { name: group, checkpoint: CHECKPOINT } });
  },

  /** The same events, for a handler without a group. `group` is their first revision. */
  async handler() {
    const finish = startSample();
    await start(BENCH, collecting(finish), { fromRevision: Number(group) });
  },

  /** The same for `commits`. */
  prepareCommits: () => prepare(WATCHED, { name: group, partitions: PARTITIONS, from: 'now' }),

  /** Events since the cursors, one `commit()` for each: its effect, and that it is done. */
  async commits() {
    let done = 0;
    let finish: ReturnType<typeof startSample> | undefined;
    const onEvent = async ({ key }: WatchEvent, context: DeliveryContext): Promise<void> => {
      finish ??= startSample();
      await context.commit((tx) => {
        tx.put(`/effects/${key.slice(WATCHED.length)}`, { value: 'x' });
      });
      done += 1;
      if (done === count) finish(done);
    };
    await start(WATCHED, onEvent, { group: { name: group, partitions: PARTITIONS } });
  },

  /** Two instances hand the only partition to each other at their shutdown. Prints the longest time too. */
  async handOvers() {
    const of = { group: { name: group, from: 'now' } } as const;
    let owner = await start(WATCHED, () => undefined, of);
    await owned(owner);
    const times: number[] = [];
    for (let index = 0; index < count; index += 1) {
      const next = await start(WATCHED, () => undefined, of);
      const begin = performance.now();
      const closing = owner.close();
      await owned(next);
      times.push(performance.now() - begin);
      await closing;
      owner = next;
    }
    const sorted = times.sort((a, b) => a - b);
    startSample()(count, { p99: sorted[Math.ceil(count * 0.99) - 1] ?? Number.NaN });
  },

  /** An instance that follows a group without any event, for `count` milliseconds. */
  async idle() {
    const app = await start(WATCHED, () => undefined, { group: { name: group, partitions: PARTITIONS } });
    await owned(app);
    const proposals = (): Promise<number> => metricOf(hosts[0] ?? '', 'etcd_server_proposals_committed_total');
    // The claims are followed by a first checkpoint.
    await sleep(3_000);
    const before = await proposals();
    const finish = startSample();
    await sleep(count);
    finish(count, { proposals: (await proposals()) - before });
  },
};

/** A handler whose effect is synchronous: it keeps the newest order of each key. */
function collecting(finish: ReturnType<typeof startSample>): (event: WatchEvent) => void {
  const orders = new Map<string, unknown>();
  let seen = 0;
  return ({ key, value }) => {
    orders.set(key, value && JSON.parse(value.toString()));
    seen += 1;
    if (seen === count) finish(count);
  };
}

await WORKS[work]();
