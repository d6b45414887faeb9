import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import { Etcd3, Range } from 'etcd3';
import { EtcdTriggerModule, StoreService } from 'nestjs-etcd-trigger';
import { options, retainedMb, startSample } from '../contender.js';
import { fill } from '../fill.js';
import { DatabaseConfig, documentOf } from './database-config.js';

/** Fills and empties a store twice. The first time is a warm-up, so that one-time allocations do not count. */
const { hosts, keys } = options() as { hosts: string[]; keys: number };

const writer = new Etcd3({ hosts });
await writer.delete().all();
const app = await NestFactory.createApplicationContext(
  EtcdTriggerModule.forRoot({ client: { hosts }, configs: [{ prefix: '/b/', type: DatabaseConfig }] }),
  { logger: false },
);
const store = app.get(StoreService);
const waitForKeys = async (count: number): Promise<void> => {
  while (store.keys('/b/').length !== count) await sleep(20);
};
const remaining = Math.floor(keys / 100);
const filled = async (): Promise<number> => {
  await fill(hosts, { puts: keys, keys, valueBytes: 0, value: documentOf });
  await waitForKeys(keys);
  return retainedMb();
};

await filled();
await writer.delete().all();
await waitForKeys(0);
const startMb = retainedMb();
const finish = startSample();
const fullMb = await filled();
// Deletes in steps, as an application would, starting with the largest keys.
for (let left = keys; left > remaining;) {
  const next = Math.max(remaining, left - 5_000);
  await writer.delete().range(new Range(keyOf(next), Buffer.from('/b0')));
  left = next;
}
await waitForKeys(remaining);
finish(keys, { startMb, fullMb, afterMb: retainedMb() });

function keyOf(index: number): Buffer {
  return Buffer.from(`/b/${String(index).padStart(6, '0')}`);
}
