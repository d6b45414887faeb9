import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import { EtcdTriggerModule, WatcherService } from 'nestjs-etcd-trigger';
import { options, startSample } from '../contender.js';

interface OutageOptions {
  readonly hosts: string;
  readonly control: string;
  readonly targets: number;
  readonly seconds: number;
}

/** Watches a number of targets, and then measures an outage from its beginning. */
const { hosts, control, targets, seconds } = options() as OutageOptions;
const root = EtcdTriggerModule.forRoot({ client: { hosts }, logger: { log() {}, warn() {}, error() {} } });
const app = await NestFactory.createApplicationContext(root, { logger: false });
const watcher = app.get(WatcherService);
await Promise.all(Array.from({ length: targets }, (_, index) => watcher.watch(`/outage/${index}/`, () => undefined)));

const ask = async (path: string): Promise<number> => Number(await (await fetch(control + path)).text());
await ask('/outage');
const finish = startSample();
await sleep(seconds * 1_000);
const attempts = await ask('/attempts');
finish(targets, { attempts });
