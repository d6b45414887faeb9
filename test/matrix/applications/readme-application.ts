import { expect, it } from 'vitest';
import { snippetsOf } from '../../readme/snippets.js';
import type { ConsumerProject } from '../../support/consumer-project.js';
import type { OwnEtcd } from '../../support/own-etcd.js';

const README = ['database.config.ts', 'app.module.ts', 'database.client.ts', 'order.handlers.ts'];

/** Starts the application as the environment variable `KIND` says, writes an order, and ends without `process.exit`. */
const MAIN = `
import { type INestApplicationContext, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Transport } from '@nestjs/microservices';
import { StoreService, WatcherService } from 'nestjs-etcd-trigger';
import { settled } from 'nestjs-etcd-trigger/testing';
import { AppModule } from './app.module.js';
import { FlagsModule, Flags, FlagSchema } from './flags.module.js';
import { RefundsLoader } from './refunds.loader.js';

@Module({ imports: [AppModule, FlagsModule], providers: [RefundsLoader] })
class RootModule {}

const tcp = () => ({ transport: Transport.TCP as const, options: { host: '127.0.0.1', port: 0 } });

async function start(kind: string): Promise<INestApplicationContext> {
  if (kind === 'context') return NestFactory.createApplicationContext(RootModule);
  if (kind === 'microservice') {
    const microservice = await NestFactory.createMicroservice(RootModule, tcp());
    await microservice.listen();
    return microservice;
  }
  const app = await NestFactory.create(RootModule);
  if (kind === 'hybrid') {
    app.connectMicroservice(tcp());
    await app.startAllMicroservices();
  }
  await app.listen(0, '127.0.0.1');
  return app;
}

async function bootstrap() {
  const app = await start(process.env.KIND ?? '');
  const refunds = await app.get(RefundsLoader).load();
  await settled(app);
  const watcher = app.get(WatcherService);
  await watcher.put('/orders/1', 'paid');
  await watcher.put('/refunds/1', 'paid');
  await app.get(StoreService).put('/flags/checkout', FlagSchema, { enabled: true });
  await settled(app);
  const flags = app.get(Flags, { strict: false });
  await app.close();
  console.log('refunds ' + refunds.seen.join());
  console.log('flags ' + flags.seen.join());
}
void bootstrap();
`;

/** A definition, a reference and a handler with a schema of zod. */
const FLAGS = `
import { Injectable, Module } from '@nestjs/common';
import { type ConfigRef, EtcdTriggerModule, InjectConfig, WatchKey, type WatchEvent } from 'nestjs-etcd-trigger';
import { z } from 'zod';

export const FlagSchema = z.object({ enabled: z.boolean(), percent: z.number().max(100).default(100) });
export type Flag = z.output<typeof FlagSchema>;

@Injectable()
export class Flags {
  readonly seen: string[] = [];

  constructor(
    @InjectConfig(FlagSchema, { under: '/flags/', key: 'checkout' })
    private readonly checkout: ConfigRef<Flag | undefined>,
  ) {}

  @WatchKey('/flags/', { schema: FlagSchema })
  onFlag(flag: Flag | undefined, { key }: WatchEvent): void {
    this.seen.push(key + ' ' + flag?.percent + ' ' + this.checkout.value?.percent);
  }
}

@Module({
  imports: [EtcdTriggerModule.forFeature([{ prefix: '/flags/', schema: FlagSchema }])],
  providers: [Flags],
})
export class FlagsModule {}
`;

const DATABASE = {
  host: 'db-1',
  port: 5432,
  tls: 'required',
  pool: { size: 10 },
  replicas: [],
  passwordExpires: '2031-01-31T00:00:00Z',
};

/**
 * The files of the README and of the guide to lazy modules, and a module that uses zod, with a main program that starts
 * them in several ways.
 */
export const README_APPLICATION: Readonly<Record<string, string>> = {
  ...Object.fromEntries(README.map((file) => [`src/${file}`, snippetsOf('README.md').get(file) ?? ''])),
  'src/refunds.loader.ts': snippetsOf('docs/handlers.md').get('refunds.loader.ts') ?? '',
  'src/flags.module.ts': FLAGS,
  'src/main.ts': MAIN,
};

/** Packages that the application needs in addition to those of the README. */
export const README_PACKAGES: readonly string[] = ['zod@^4'];

/** Runs the built application and expects one call of each handler for each event, and exit code 0. */
export async function expectToRunOnce(project: ConsumerProject, etcd: OwnEtcd, kind: string): Promise<void> {
  await etcd.put('/app/database', DATABASE);
  await etcd.put('/orders/1', 'new');
  await etcd.direct.delete().key('/flags/checkout');
  const env = { ETCD_HOSTS: etcd.hosts.join(), KIND: kind, NO_COLOR: '1' };
  const output = await project.run('node', ['dist/main.js'], env);
  const calls = output
    .split('\n')
    .map((line) => line.replace(/^.*\[(DatabaseClient|OrderHandlers)\] /, '$1: '))
    .filter((line) => /^(DatabaseClient|OrderHandlers): |^(refunds|flags) /.test(line));

  expect(calls).toEqual([
    'DatabaseClient: connects to db-1:5432 with a pool of 10',
    'OrderHandlers: initial put /orders/1: none -> new',
    'OrderHandlers: live put /orders/1: new -> paid',
    'refunds /refunds/1',
    'flags /flags/checkout 100 100',
  ]);
}

/** Declares the tests that the templates of all versions of Nest share. */
export function itRunsEverywhere(project: () => ConsumerProject, etcd: OwnEtcd): void {
  it.each(['context', 'microservice', 'hybrid'])('runs as %s', async (kind) => {
    await project().run('npx', ['nest', 'build']);

    await expectToRunOnce(project(), etcd, kind);
  });

  it('compiles with exactOptionalPropertyTypes, and so do the types of the package', async () => {
    await expectToCompileWithExactOptionalProperties(project());
  });
}

/** Expects that the compiler accepts the application and the types of the package, and that it would find an error. */
async function expectToCompileWithExactOptionalProperties(project: ConsumerProject): Promise<void> {
  await project.write({ 'src/inexact.ts': 'export const inexact: { a?: string } = { a: undefined };' });
  const strict = ['--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess'];
  const options = ['--noEmit', '--incremental', 'false', '--skipLibCheck', 'false', '-p', 'tsconfig.build.json'];
  const output = await project.run('sh', ['-c', `npx tsc ${[...strict, ...options].join(' ')} || true`]);
  const errors = output.split('\n').filter((line) => /^(src|node_modules\/nestjs-etcd-trigger)\//.test(line));

  expect(errors).toEqual([expect.stringMatching(/^src\/inexact\.ts/)]);
  await project.run('rm', ['src/inexact.ts']);
}
