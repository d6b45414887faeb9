import 'reflect-metadata';
import type { Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EtcdTriggerModule, WatchKey } from 'nestjs-etcd-trigger';
import { options, startSample } from '../contender.js';

/** Runs an application with many `@WatchKey` methods, and one more on `/b/`, which receives the events. */
const { hosts, targets, handlersATarget, events } = options() as {
  hosts: string[];
  targets: number;
  handlersATarget: number;
  events: number;
};

let seen = 0;
/** Restarted at the first event. */
let finish = startSample();

class EventHandler {
  @WatchKey('/b/')
  onEvent(): void {
    if (seen === 0) finish = startSample();
    seen += 1;
    if (seen === events) finish(events);
  }
}

const begin = performance.now();
await NestFactory.createApplicationContext(
  {
    module: class Root {},
    imports: [EtcdTriggerModule.forRoot({ client: { hosts }, boot: { timeoutMs: 60_000 } })],
    providers: [EventHandler, ...Array.from({ length: targets }, (_, target) => idleHandlers(`/t/${target}/`))],
  },
  { logger: false },
);
const bootSeconds = (performance.now() - begin) / 1_000;
if (events === 0) finish(targets * handlersATarget, { bootSeconds });

function idleHandlers(prefix: string): Type<object> {
  class Handlers {}
  for (let index = 0; index < handlersATarget; index += 1) {
    const name = `on${index}`;
    Object.defineProperty(Handlers.prototype, name, { value: () => undefined, configurable: true });
    const descriptor = Object.getOwnPropertyDescriptor(Handlers.prototype, name);
    if (descriptor) WatchKey(prefix)(Handlers.prototype, name, descriptor);
  }
  return Handlers;
}
