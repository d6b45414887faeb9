import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { EtcdTriggerModule, type WatchEvent, WatchKey } from 'nestjs-etcd-trigger';
import { options, retainedMb, startSample } from '../contender.js';
import { DatabaseConfig } from './database-config.js';

/** Runs a handler and a store on the same prefix through all of the traffic and measures the memory ten times. */
const { hosts, events, tenths } = options() as { hosts: string[]; events: number; tenths: number };

let seen = 0;
const memoryMb: Record<string, number> = {};
const finish = startSample();

class Listener {
  @WatchKey('/b/')
  onEvent({ key, value }: WatchEvent): void {
    if (key.length + (value?.length ?? 0) > 0) seen += 1;
    if (seen % (events / tenths) !== 0) return;
    memoryMb[`tenth${seen / (events / tenths)}Mb`] = retainedMb();
    if (seen === events) finish(events, memoryMb);
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
