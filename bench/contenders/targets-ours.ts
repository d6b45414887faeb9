import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { EtcdTriggerModule, WatcherService } from 'nestjs-etcd-trigger';
import { options, startSample } from '../contender.js';
import { watchCost } from '../etcd-metrics.js';

/** Watches many prefixes in one application. */
const { host, targets } = options() as { host: string; targets: number };

const app = await NestFactory.createApplicationContext(
  EtcdTriggerModule.forRoot({ client: { hosts: host }, requestTimeoutMs: 60_000 }),
  { logger: false },
);
const watcher = app.get(WatcherService);
const names = Array.from({ length: targets }, (_, target) => `/t/${target}/`);
const cost = await watchCost(host, targets);
const finish = startSample();
const watches = await Promise.all(names.map((name) => watcher.watch(name, () => undefined)));
const costs = await cost();
finish(watches.length, { ...costs });
