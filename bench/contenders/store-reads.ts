import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { EtcdTriggerModule, StoreService } from 'nestjs-etcd-trigger';
import { options, startSample } from '../contender.js';
import { DatabaseConfig } from './database-config.js';

/** Reads of the store beside reads of a `Map`, in turns in one process, and what a read allocates. */
const { hosts, keys, reads } = options() as { hosts: string[]; keys: number; reads: number };

const app = await NestFactory.createApplicationContext(
  EtcdTriggerModule.forRoot({
    client: { hosts },
    configs: [{ prefix: '/b/', type: DatabaseConfig }],
    boot: { timeoutMs: 120_000 },
  }),
  { logger: false },
);
const store = app.get(StoreService);
const names = store.keys('/b/');
const map = new Map(names.map((name) => [name, store.get(name, DatabaseConfig)]));
const finish = startSample();

let found = 0;
const time = (read: (name: string) => unknown): number => {
  const begin = process.hrtime.bigint();
  for (let index = 0; index < reads; index += 1) if (read(names[index % keys] as string) !== undefined) found += 1;
  return Number(process.hrtime.bigint() - begin) / reads;
};
const rounds = Array.from({ length: 9 }, () => ({
  get: time((name) => store.get(name, DatabaseConfig)),
  map: time((name) => map.get(name)),
}));
const median = (of: (round: { get: number; map: number }) => number): number =>
  rounds.map(of).sort((a, b) => a - b)[4] ?? 0;

const before = process.memoryUsage().heapUsed;
time((name) => store.get(name, DatabaseConfig));
const allocated = Math.max(0, process.memoryUsage().heapUsed - before) / reads;
finish(found / reads, {
  getNs: median(({ get }) => get),
  mapNs: median((round) => round.map),
  allocatedBytes: allocated,
});
