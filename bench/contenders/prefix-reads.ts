import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { measure } from 'mitata';
import { EtcdTriggerModule, StoreService } from 'nestjs-etcd-trigger';
import { options, startSample } from '../contender.js';
import { DatabaseConfig } from './database-config.js';

/** Reads the same number of keys from a small and from a large definition. */
const { hosts } = options() as { hosts: string[] };

const app = await NestFactory.createApplicationContext(
  EtcdTriggerModule.forRoot({
    client: { hosts },
    configs: [
      { prefix: '/small/', type: DatabaseConfig },
      { prefix: '/large/', type: DatabaseConfig },
    ],
    boot: { timeoutMs: 600_000 },
    requestTimeoutMs: 60_000,
  }),
  { logger: false },
);
const store = app.get(StoreService);
const finish = startSample();
let found = 0;
const microseconds = async (read: () => { readonly length?: number; readonly size?: number }): Promise<number> => {
  const { p50 } = await measure(() => {
    const { length, size } = read();
    found += length ?? size ?? 0;
  });
  return p50 / 1_000;
};
const figures = {
  keysOfSmallUs: await microseconds(() => store.keys('/small/0001')),
  keysOfLargeUs: await microseconds(() => store.keys('/large/0001')),
  entriesOfSmallUs: await microseconds(() => store.entries('/small/0001', DatabaseConfig)),
  entriesOfLargeUs: await microseconds(() => store.entries('/large/0001', DatabaseConfig)),
};
finish(found, figures);
