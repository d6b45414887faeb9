import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { EtcdTriggerModule, WatcherService } from 'nestjs-etcd-trigger';
import { options, startSample } from '../contender.js';
import { type LatencyOptions, LatencyProbe } from './latency-probe.js';

const given = options() as LatencyOptions;

const app = await NestFactory.createApplicationContext(EtcdTriggerModule.forRoot({ client: { hosts: given.hosts } }), {
  logger: false,
});
const probe = new LatencyProbe(given);
await app.get(WatcherService).watch(
  '/b/',
  ({ key }) => {
    probe.arrived(key);
  },
  { initial: false },
);
const finish = startSample();
finish(given.puts, { ...(await probe.run()) });
