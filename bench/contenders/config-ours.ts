import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { EtcdTriggerModule, StoreService } from 'nestjs-etcd-trigger';
import { retainedMb, options, startSample } from '../contender.js';
import { DatabaseConfig } from './database-config.js';

/** The store lists, parses, validates and freezes typed configurations. */
const { hosts, prefix } = options() as { hosts: string[]; prefix: string };

const finish = startSample();
const app = await NestFactory.createApplicationContext(
  EtcdTriggerModule.forRoot({
    client: { hosts },
    configs: [{ prefix, type: DatabaseConfig }],
    boot: { timeoutMs: 120_000 },
  }),
  { logger: false },
);
const { length } = app.get(StoreService).keys(prefix);
finish(length, () => ({ heapMb: retainedMb() }));
