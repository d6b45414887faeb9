import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { EtcdTriggerModule, type WatchEvent, WatcherService } from 'nestjs-etcd-trigger';
import { options, startSample } from '../contender.js';

/**
 * Delivers every event to a handler by `WatcherService.watch` or, with `observe`, to an observer, which has no queue.
 * `touch` also reads keys and values. `allocations` measures allocated bytes, which needs a young generation that is
 * large enough for the whole run.
 */
const { hosts, events, fromRevision, touch, observe, allocations } = options() as {
  hosts: string[];
  events: number;
  fromRevision?: number;
  touch?: boolean;
  observe?: boolean;
  allocations?: boolean;
};

const app = await NestFactory.createApplicationContext(EtcdTriggerModule.forRoot({ client: { hosts } }), {
  logger: false,
});
const watcher = app.get(WatcherService);
const finish = startSample();
let seen = 0;
let bytes = 0;
let heapAtFirst = 0;
const onEvent = (event: WatchEvent): void => {
  if (allocations && seen === 0) heapAtFirst = process.memoryUsage().heapUsed;
  if (touch) bytes += event.key.length + (event.value?.length ?? 0);
  seen += 1;
  if (seen < events) return;
  finish(seen, () => ({
    bytes,
    ...(allocations && { allocatedBytes: (process.memoryUsage().heapUsed - heapAtFirst) / events }),
  }));
};
const from = fromRevision === undefined ? {} : { fromRevision };
if (observe) watcher.observe('/b/', from).subscribe(onEvent);
else await watcher.watch('/b/', onEvent, from);
