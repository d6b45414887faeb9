import { readFileSync } from 'node:fs';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConsumerProject, nestDependencies } from '../../support/consumer-project.js';

/** Plain JavaScript, so decorators are called as functions. The nested class shows whether `@Type` is found. */
const APP = `
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { Type } from 'class-transformer';
import { IsInt, ValidateNested } from 'class-validator';
import { EtcdTriggerModule, StoreService, WatchKey, WatcherService } from 'nestjs-etcd-trigger';

class Limit {}
IsInt()(Limit.prototype, 'count');
class Limits {}
Type(() => Limit)(Limits.prototype, 'orders');
ValidateNested()(Limits.prototype, 'orders');

let calls = 0;
class Handler {
  onEvent() { calls += 1; }
}
WatchKey('/events/', { events: 'put' })(
  Handler.prototype, 'onEvent', Object.getOwnPropertyDescriptor(Handler.prototype, 'onEvent'),
);

class AppModule {}
async function main() {
  const app = await NestFactory.createApplicationContext(
    {
      module: AppModule,
      imports: [EtcdTriggerModule.forRoot({
        client: { hosts: process.env.ETCD_HOSTS },
        configs: [{ prefix: '/limits/', type: Limits }],
      })],
      providers: [Handler],
    },
    { logger: false, abortOnError: false },
  );
  const store = app.get(StoreService);
  await store.put('/limits/a', { orders: { count: 1 } });
  console.log(store.get('/limits/a', Limits).orders instanceof Limit);
  await store.put('/limits/a', { orders: { count: 'x' } }).catch(({ code }) => console.log(code));
  await app.get(WatcherService).put('/events/1', 'hello');
  while (calls === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  await app.get(WatcherService).delete('/events/1');
  await app.close();
  console.log('called ' + calls);
}
main().catch(({ message }) => console.log(message));
`;
const OUTPUT = 'true\nETCD_INVALID_CONFIG\ncalled 1';
const TWICE =
  'a bundler has included class-transformer twice, so its decorators have no effect: bundle nestjs-etcd-trigger, class-transformer and class-validator together, or make all packages external (docs/bundling.md)';

/** Nest loads these only if they are installed. */
const OPTIONAL = ['@nestjs/microservices*', '@nestjs/websockets*', '@nestjs/platform-*', 'class-transformer/storage'];
/** The package, and the packages that it shares with the application. */
const SHARED = [
  'nestjs-etcd-trigger',
  'class-transformer',
  'class-validator',
  '@nestjs/common',
  '@nestjs/core',
  'reflect-metadata',
  'rxjs',
];
/** Bundled ES modules have no `require`, which the CommonJS packages in them call. */
const REQUIRE = "import { createRequire as bundled } from 'node:module'; const require = bundled(import.meta.url);";

const WEBPACK = `
module.exports = ({ out, external = '' }) => ({
  mode: 'production',
  target: 'node',
  entry: './app.mjs',
  output: { path: __dirname, filename: out },
  ignoreWarnings: [() => true],
  externals: ({ request }, done) => {
    const isOptional = /^@nestjs\\/(microservices|websockets|platform-)|^class-transformer\\/storage/.test(request);
    const isExternal = ['etcd3', ...external.split(',')].includes(request);
    return isOptional || isExternal ? done(null, 'commonjs ' + request) : done();
  },
});
`;

const esbuild = (out: string, options: readonly string[], external: readonly string[] = []): string[] => [
  'esbuild',
  'app.mjs',
  '--bundle',
  '--platform=node',
  '--log-level=error',
  `--outfile=${out}`,
  ...[...OPTIONAL, 'etcd3', ...external].map((name) => `--external:${name}`),
  ...options,
];
const webpack = (out: string, external = ''): string[] => [
  'webpack',
  '--config=webpack.cjs',
  `--env=out=${out}`,
  ...(external === '' ? [] : [`--env=external=${external}`]),
];

describe('a bundled application', () => {
  let etcd: EtcdTestCluster;
  let project: ConsumerProject;

  beforeAll(async () => {
    etcd = await EtcdTestCluster.start();
    project = await ConsumerProject.create({
      ...nestDependencies('12'),
      '@vercel/ncc': '^0.45.0',
      esbuild: '>=0.25',
      etcd3: '1.1.2',
      webpack: '^5.113.0',
      'webpack-cli': '>=6',
    });
    await project.write({ 'app.mjs': APP, 'webpack.cjs': WEBPACK });
  });
  afterAll(async () => {
    await project[Symbol.asyncDispose]();
    await etcd.stop();
  });

  const ALL: [string, string, string[]][] = [
    ['esbuild, CommonJS', 'es.cjs', esbuild('es.cjs', ['--format=cjs'])],
    ['esbuild, ES module', 'es.mjs', esbuild('es.mjs', ['--format=esm', `--banner:js=${REQUIRE}`])],
    ['esbuild, packages external, CommonJS', 'es1.cjs', esbuild('es1.cjs', ['--format=cjs', '--packages=external'])],
    ['esbuild, packages external, ES module', 'es1.mjs', esbuild('es1.mjs', ['--format=esm', '--packages=external'])],
    ['esbuild, shared packages external', 'es2.cjs', esbuild('es2.cjs', ['--format=cjs'], SHARED)],
    ['webpack', 'webpack1.cjs', webpack('webpack1.cjs')],
    ['webpack, shared packages external', 'webpack2.cjs', webpack('webpack2.cjs', SHARED.join())],
    ['ncc', 'ncc/index.mjs', ['ncc', 'build', 'app.mjs', '--external', 'etcd3', '--out', 'ncc']],
  ];
  it('needs the banner that the guide shows', () => {
    expect(readFileSync('docs/bundling.md', 'utf8')).toContain(`--banner:js="${REQUIRE}"`);
  });

  it.each(ALL)('works: %s', async (_, file, bundle) => {
    await project.run('npx', bundle);

    expect((await project.run('node', [file], { ETCD_HOSTS: etcd.hosts.join() })).trim()).toBe(OUTPUT);
  });

  it.each<[string, string, string[]]>([
    ['esbuild that prefers ES modules', 'two.cjs', esbuild('two.cjs', ['--format=cjs', '--main-fields=module,main'])],
    ['webpack with class-transformer external', 'two1.cjs', webpack('two1.cjs', 'class-transformer,class-validator')],
  ])('names the second copy of class-transformer: %s', async (_, file, bundle) => {
    await project.run('npx', bundle);

    expect((await project.run('node', [file], { ETCD_HOSTS: etcd.hosts.join() })).trim()).toBe(TWICE);
  });
});
