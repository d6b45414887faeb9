import type { INestApplication, ModuleMetadata } from '@nestjs/common';
import { Injectable } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import {
  ClusterCron,
  type ConfigDefinition,
  EtcdTriggerModule,
  type Fence,
  OnElected,
  WatchKey,
} from 'nestjs-etcd-trigger';
import { type ConsoleOptions, EtcdTriggerConsoleModule } from 'nestjs-etcd-trigger/console';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { quiet } from '../support/quiet-logger.js';
import { DEFINITIONS, INITIAL } from './console.configs.js';

/** A handler, a member of a group, a candidate and a cron job. */
@Injectable()
class Orders {
  @WatchKey('/orders/')
  onOrder(): void {}

  @WatchKey('/orders/', { group: { name: 'billing', partitions: 1 }, retry: { attempts: 1 }, onExhausted: 'park' })
  bill(): void {
    throw new Error('no bill');
  }

  @ClusterCron('0 0 1 1 *', { name: 'report' })
  report(): void {}

  @OnElected('totals')
  async lead({ signal }: Fence): Promise<void> {
    await new Promise((resolve) => {
      signal.addEventListener('abort', resolve, { once: true });
    });
  }
}

export type Adapter = 'express' | 'fastify';

export interface AppOptions {
  readonly adapter?: Adapter;
  readonly etcd?: FakeCluster;
  /** @default DEFINITIONS */
  readonly definitions?: ConfigDefinition[];
  readonly console?: Partial<ConsoleOptions>;
  readonly imports?: ModuleMetadata['imports'];
  readonly audit?: boolean;
  readonly prepare?: (app: INestApplication) => void;
}

/** An application with a console. Requests have the headers of the page. */
export class ConsoleApp {
  private constructor(
    readonly app: INestApplication,
    readonly etcd: FakeCluster,
    readonly origin: string,
    private readonly base: string,
  ) {}

  static async start(options: AppOptions = {}): Promise<ConsoleApp> {
    const { adapter = 'express', etcd = new FakeCluster(INITIAL), imports = [], audit = false } = options;
    const { definitions = DEFINITIONS } = options;
    const consoleOptions = { path: '/etcd', unprotected: true, write: true, ...options.console };
    const module = await Test.createTestingModule({
      imports: [
        EtcdTriggerModule.forRoot({
          client: etcd,
          configs: definitions,
          coordination: { prefix: '/coordination/', settleMs: 0 },
          logger: quiet,
          podName: 'shop-1',
          serviceName: 'shop',
          ...(audit && { audit: { prefix: '/audit' } }),
        }),
        EtcdTriggerConsoleModule.forRoot(consoleOptions),
        ...imports,
      ],
      providers: [Orders],
    }).compile();
    const app =
      adapter === 'fastify'
        ? module.createNestApplication(new FastifyAdapter(), { logger: false })
        : module.createNestApplication({ logger: false });
    options.prepare?.(app);
    await app.listen(0, '127.0.0.1');
    const origin = `http://127.0.0.1:${new URL(await app.getUrl()).port}`;
    return new ConsoleApp(app, etcd, origin, `${origin}/etcd/`);
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(new URL(path, this.base), { redirect: 'manual', ...init });
  }

  async get(path: string, query: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return answerOf(await this.fetch(`api/${path}?${new URLSearchParams(query).toString()}`));
  }

  async send(
    method: string,
    path: string,
    body: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    return answerOf(
      await this.fetch(`api/${path}`, {
        method,
        headers: { 'content-type': 'application/json', 'x-etcd-trigger-console': '1', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    );
  }

  async entry(key: string, layer = ''): Promise<Record<string, unknown>> {
    const { body } = await this.get('entry', { key, layer });
    return body;
  }

  close(): Promise<void> {
    return this.app.close();
  }
}

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly text: string;
  readonly headers: Headers;
}

async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  return { status: response.status, body: parsed(text), text, headers: response.headers };
}

function parsed(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}
