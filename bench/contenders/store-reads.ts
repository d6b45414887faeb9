import 'reflect-metadata';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import { do_not_optimize, measure } from 'mitata';
import { EtcdTriggerModule, StoreService } from 'nestjs-etcd-trigger';
import { options, startSample } from '../contender.js';
import { DatabaseConfig } from './database-config.js';

/** Compares reads of the store with reads of a `Map` and of `@nestjs/config`, and measures allocations per read. */
const { hosts, keys, reads } = options() as { hosts: string[]; keys: number; reads: number };

const app = await NestFactory.createApplicationContext(
  {
    module: class Root {},
    imports: [
      EtcdTriggerModule.forRoot({
        client: { hosts },
        configs: [{ prefix: '/b/', type: DatabaseConfig }],
        boot: { timeoutMs: 120_000 },
      }),
      ConfigModule.forRoot({ ignoreEnvFile: true, load: [() => ({ database: { host: 'db-1', port: 5_432 } })] }),
    ],
  },
  { logger: false },
);
const store = app.get(StoreService);
const config = app.get(ConfigService);
const names = store.keys('/b/');
const map = new Map(names.map((name) => [name, store.get(name, DatabaseConfig)]));
const finish = startSample();

let found = 0;
let next = 0;
/** Nanoseconds per read. Each read uses another key. */
const nanoseconds = async (read: (name: string) => unknown): Promise<number> => {
  const { avg } = await measure(() => {
    next = next + 1 < keys ? next + 1 : 0;
    do_not_optimize(read(names[next] as string));
  });
  return avg;
};
const get = (name: string): DatabaseConfig | undefined => store.get(name, DatabaseConfig);
const figures = {
  getNs: await nanoseconds(get),
  mapNs: await nanoseconds((name) => map.get(name)),
  configServiceNs: await nanoseconds(() => config.get('database.host')),
};
const before = process.memoryUsage().heapUsed;
for (let index = 0; index < reads; index += 1) if (get(names[index % keys] as string) !== undefined) found += 1;
const allocatedBytes = Math.max(0, process.memoryUsage().heapUsed - before) / reads;
finish(found / reads, { ...figures, allocatedBytes });
