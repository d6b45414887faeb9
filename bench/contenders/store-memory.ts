import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import { Etcd3, Range } from 'etcd3';
import { EtcdTriggerModule, StoreService } from 'nestjs-etcd-trigger';
import { options, startSample } from '../contender.js';
import { fill } from '../fill.js';
import { DatabaseConfig, documentOf } from './database-config.js';

/** A store that fills and is emptied, twice: what the process needs to warm up is not counted as the store's. */
const { hosts, keys } = options() as { hosts: string[]; keys: number };

const writer = new Etcd3({ hosts });
await writer.delete().all();
const app = await NestFactory.createApplicationContext(
  EtcdTriggerModule.forRoot({ client: { hosts }, configs: [{ prefix: '/b/', type: DatabaseConfig }] }),
  { logger: false },
);
const store = app.get(StoreService);
const has = async (count: number): Promise<void> => {
  while (store.keys('/b/').length !== count) await sleep(20);
};
const heldMb = (): number => {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return (heapUsed + arrayBuffers) / 1e6;
};
const survivors = Math.floor(keys / 100);
const filled = async (): Promise<number> => {
  await fill(hosts, { puts: keys, keys, valueBytes: 0, value: documentOf });
  await has(keys);
  return heldMb();
};

await filled();
await writer.delete().all();
await has(0);
const startMb = heldMb();
const finish = startSample();
const fullMb = await filled();
// In steps, as an application would: the largest keys first.
for (let left = keys; left > survivors;) {
  const next = Math.max(survivors, left - 5_000);
  await writer.delete().range(new Range(keyOf(next), Buffer.from('/b0')));
  left = next;
}
await has(survivors);
finish(keys, { startMb, fullMb, afterMb: heldMb() });

function keyOf(index: number): Buffer {
  return Buffer.from(`/b/${String(index).padStart(6, '0')}`);
}
