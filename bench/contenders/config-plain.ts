import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { Etcd3 } from 'etcd3';
import { retainedMb, options, startSample } from '../contender.js';
import { DatabaseConfig } from './database-config.js';

/** Does the same by hand: etcd3's `getAll`, `JSON.parse`, `plainToInstance`, `validateSync` and a shallow freeze. */
const { hosts, prefix } = options() as { hosts: string[]; prefix: string };

const finish = startSample();
const app = await NestFactory.createApplicationContext(
  { module: class Root {}, providers: [{ provide: 'CONFIGS', useFactory: load }] },
  { logger: false },
);
finish(app.get<Map<string, DatabaseConfig>>('CONFIGS').size, () => ({ heapMb: retainedMb() }));

async function load(): Promise<Map<string, DatabaseConfig>> {
  const client = new Etcd3({ hosts, grpcOptions: { 'grpc.max_receive_message_length': -1 } });
  const configs = new Map<string, DatabaseConfig>();
  for (const [key, text] of Object.entries(await client.getAll().prefix(prefix).strings())) {
    const config = plainToInstance(DatabaseConfig, JSON.parse(text) as object);
    if (validateSync(config).length === 0) configs.set(key, Object.freeze(config));
  }
  return configs;
}
