import type { INestApplication, ModuleMetadata } from '@nestjs/common';
import { Injectable } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { EtcdTriggerModule, OnElected, type Fence, type WatchEvent, WatchKey } from 'nestjs-etcd-trigger';
import { EtcdTriggerConsoleModule } from 'nestjs-etcd-trigger/console';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { quiet } from '../support/quiet-logger.js';
import { CREDENTIALS, DATABASE, DEFINITIONS } from './page.configs.js';

/** Secrets that no page may show. */
export const PASSWORD = 'never-to-be-seen-4711';
export const API_KEY = 'never-to-be-seen-4712';

export const INITIAL = {
  [DATABASE]: {
    host: 'db-1',
    port: 5_432,
    level: 'info',
    password: PASSWORD,
    pool: { max: 20 },
    replicas: [{ host: 'replica-1', token: `${PASSWORD}-1` }, { host: 'replica-2' }],
    tags: ['eu', 'primary'],
  },
  [CREDENTIALS]: { user: 'app', apiKey: API_KEY },
};

/** Keys that the group cannot handle. */
export const UNPAID = new Set<string>();

/** A handler, a member of a group, and a candidate: what the live view shows. */
@Injectable()
class Orders {
  @WatchKey('/orders/')
  onOrder(): void {}

  @WatchKey('/orders/', { group: { name: 'billing', partitions: 2 }, retry: { attempts: 1 }, onExhausted: 'park' })
  bill({ key }: WatchEvent): void {
    if (UNPAID.has(key)) throw new Error('not paid');
  }

  @OnElected('totals')
  async lead({ signal }: Fence): Promise<void> {
    await new Promise((resolve) => {
      signal.addEventListener('abort', resolve, { once: true });
    });
  }
}

export interface ConsoleOptions {
  readonly etcd: FakeCluster;
  readonly write?: boolean;
  readonly adapter?: 'express' | 'fastify';
  readonly port?: number;
  /** Further clusters. */
  readonly imports?: ModuleMetadata['imports'];
}

export interface StartedConsole {
  readonly app: INestApplication;
  readonly url: string;
  readonly port: number;
}

/** Starts an application with the console at `/admin/etcd`, without a guard. */
export async function startConsole(options: ConsoleOptions): Promise<StartedConsole> {
  const { etcd, write = true, adapter = 'express', port = 0, imports = [] } = options;
  const module = await Test.createTestingModule({
    imports: [
      EtcdTriggerModule.forRoot({
        client: etcd,
        configs: DEFINITIONS,
        audit: { prefix: '/audit/' },
        coordination: { prefix: '/coordination/', settleMs: 0 },
        logger: quiet,
        podName: 'shop-1',
        serviceName: 'shop',
      }),
      EtcdTriggerConsoleModule.forRoot({ path: '/admin/etcd', unprotected: true, write, author: () => 'alice' }),
      ...imports,
    ],
    providers: [Orders],
  }).compile();
  const created = { logger: false, forceCloseConnections: true } as const;
  const app =
    adapter === 'fastify'
      ? module.createNestApplication(new FastifyAdapter(), created)
      : module.createNestApplication(created);
  await app.listen(port, '127.0.0.1');
  const { port: listening } = new URL(await app.getUrl());
  return { app, url: `http://127.0.0.1:${listening}/admin/etcd/`, port: Number(listening) };
}
