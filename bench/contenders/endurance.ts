import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { EtcdTriggerModule, type WatchEvent, WatchKey } from 'nestjs-etcd-trigger';
import { options, startSample } from '../contender.js';
import { DatabaseConfig } from './database-config.js';

/** A handler, and a store on the same prefix, through all of the traffic; memory is looked at ten times on the way. */
const { hosts, events, tenths } = options() as { hosts: string[]; events: number; tenths: number };

let seen = 0;
const heldMb: Record<string, number> = {};
const finish = startSample();

class Listener {
  @WatchKey('/b/')
  onEvent({ key, value }: WatchEvent): void {
    if (key.length + (value?.length ?? 0) > 0) seen += 1;
    if (seen % (events / tenths) !== 0) return;
    globalThis.gc?.();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    heldMb[`tenth${seen / (events / tenths)}Mb`] = (heapUsed + arrayBuffers) / 1e6;
    if (seen === events) finish(events, heldMb);
  }
}

await NestFactory.createApplicationContext(
  {
    module: class Root {},
    imports: [EtcdTriggerModule.forRoot({ client: { hosts }, configs: [{ prefix: '/b/', type: DatabaseConfig }] })],
    providers: [Listener],
  },
  { logger: false },
);
