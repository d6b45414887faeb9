import { Type } from 'class-transformer';
import { IsArray, IsInt, IsOptional, IsString, Min, ValidateNested } from 'class-validator';
import type { ConfigDefinition, EtcdTriggerOptions } from 'nestjs-etcd-trigger';
import type { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { type StartedApp, startApp } from '../../support/start-app.js';

export class Pool {
  @IsInt() @Min(1) max = 10;
  @IsOptional() @IsInt() idleMs?: number;
}

export class Db {
  @IsString() host!: string;
  @IsInt() port = 5432;
  @ValidateNested() @Type(() => Pool) pool: Pool = new Pool();
  @IsOptional() @IsArray() replicas?: string[];
  @IsOptional() @IsString() note?: string;
}

export const KEY = '/shop/db';
export const LAYERS = ['/base/db', '/prod/db', '/prod/pods/p1/db'];

/** Starts an application with one definition that has layers. */
export const start = (
  client: FakeCluster,
  definition: Partial<ConfigDefinition<Db>> = {},
  options: Omit<EtcdTriggerOptions, 'client'> = {},
): Promise<StartedApp> => {
  const configs = [{ key: KEY, type: Db, layers: LAYERS, ...definition } as ConfigDefinition];
  return startApp({ hosts: '', client, configs, ...options });
};

/** The message of the error that a call rejects with. */
export const problemOf = async (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'none',
    (error: unknown) => String(error),
  );
