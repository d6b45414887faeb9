import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { EtcdTriggerModule, type WatchEvent, WatcherService } from 'nestjs-etcd-trigger';
import { options, startSample } from '../contender.js';

/** Every event of a replay handed to a handler by `WatcherService.watch`. */
const { hosts, events, fromRevision, touch } = options() as {
  hosts: string[];
  events: number;
  fromRevision?: number;
  touch?: boolean;
};

const app = await NestFactory.createApplicationContext(EtcdTriggerModule.forRoot({ client: { hosts } }), {
  logger: false,
});
const watcher = app.get(WatcherService);
const finish = startSample();
let seen = 0;
let bytes = 0;
await watcher.watch(
  '/b/',
  (event: WatchEvent) => {
    if (touch) bytes += event.key.length + (event.value?.length ?? 0);
    seen += 1;
    if (seen === events) finish(seen, { bytes });
  },
  fromRevision === undefined ? {} : { fromRevision },
);
