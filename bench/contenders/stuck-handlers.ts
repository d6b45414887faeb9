import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import { WatcherService } from 'nestjs-etcd-trigger';
import { EtcdTriggerTestingModule, FakeCluster } from 'nestjs-etcd-trigger/testing';
import { options, retainedMb, startSample } from '../contender.js';

/** Runs healthy handlers, with `stuck` next to handlers of the same target that hang or fail, at a moderate rate. */
const { events, perSecond, stuck } = options() as { events: number; perSecond: number; stuck: boolean };

const EVENTS_A_REVISION = 100;
const REVISION_EVERY_MS = (EVENTS_A_REVISION / perSecond) * 1_000;
const KEYS = 1_000;
const HEALTHY = 3;

const etcd = new FakeCluster();
const app = await NestFactory.createApplicationContext(EtcdTriggerTestingModule.forRoot({ fake: etcd }), {
  logger: false,
});
const watcher = app.get(WatcherService);

const delays = new Float64Array(events * HEALTHY);
let writtenAt = 0;
let seen = 0;
for (let index = 0; index < HEALTHY; index += 1) {
  await watcher.watch('/b/', () => {
    delays[seen] = performance.now() - writtenAt;
    seen += 1;
  });
}
if (stuck) {
  const never = new Promise<void>(() => undefined);
  await watcher.watch('/b/', () => never);
  await watcher.watch('/b/', () => never, { delivery: 'latest' });
  await watcher.watch('/b/', () => never, { timeoutMs: 10, retry: { attempts: 3 } });
  await watcher.watch('/b/', () => Promise.reject(new Error('always')), { retry: { attempts: 1_000_000 } });
}

const finish = startSample();
const begin = performance.now();
let retainedAfterAFifthMb = 0;
for (let written = 0; written < events; written += EVENTS_A_REVISION) {
  const wait = begin + (written / EVENTS_A_REVISION) * REVISION_EVERY_MS - performance.now();
  if (wait > 0) await sleep(wait);
  if (written === events / 5) retainedAfterAFifthMb = retainedMb();
  writtenAt = performance.now();
  etcd.transaction((tx) => {
    for (let index = 0; index < EVENTS_A_REVISION; index += 1) tx.put(`/b/${(written + index) % KEYS}`, `${written}`);
  });
  while (seen < (written + EVENTS_A_REVISION) * HEALTHY) await new Promise((resolve) => setImmediate(resolve));
  // Compacts, so that the fake's history does not count as memory. Listeners that lag behind get a resync.
  if (written % 100_000 === 0) etcd.compact();
}
const atEndMb = retainedMb();
delays.sort();
finish(seen / HEALTHY, {
  p99Ms: delays[Math.floor(delays.length * 0.99)] ?? Number.NaN,
  retainedAfterAFifthMb,
  retainedMb: atEndMb,
});
