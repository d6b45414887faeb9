import 'reflect-metadata';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { NestFactory } from '@nestjs/core';
import { EtcdTriggerModule, WatcherService } from 'nestjs-etcd-trigger';
import { options, startSample } from '../contender.js';

/** Lists a prefix and delivers every key to a handler. */
const { hosts, keys, prefix = '/b/' } = options() as { hosts: string[]; keys: number; prefix?: string };

const app = await NestFactory.createApplicationContext(EtcdTriggerModule.forRoot({ client: { hosts } }), {
  logger: false,
});
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const finish = startSample();
let seen = 0;
let bytes = 0;
await app.get(WatcherService).watch(prefix, ({ value }) => {
  bytes += value?.length ?? 0;
  seen += 1;
  if (seen === keys) finish(seen, { longestBlockMs: delay.max / 1e6, bytes });
});
