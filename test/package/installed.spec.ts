import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConsumerProject } from '../support/consumer-project.js';

const PEERS = ['@nestjs/common', '@nestjs/core', 'class-transformer', 'class-validator', 'reflect-metadata', 'rxjs'];

/** An application for both module systems. Plain JavaScript, so decorators are called as functions. */
const APP = `
class Limit {}
IsInt()(Limit.prototype, 'count');
class Handler {
  onEvent({ type, key, value }) {
    if (type === 'delete') return;
    console.log('handler ' + key + ' ' + value);
    done();
  }
}
WatchKey('/events/')(Handler.prototype, 'onEvent', Object.getOwnPropertyDescriptor(Handler.prototype, 'onEvent'));
let done;
const handled = new Promise((resolve) => { done = resolve; });
class AppModule {}
async function main() {
  const app = await NestFactory.createApplicationContext(
    {
      module: AppModule,
      imports: [EtcdTriggerModule.forRoot({ client: { hosts: process.env.ETCD_HOSTS }, configs: [{ prefix: '/limits/', type: Limit }] })],
      providers: [Handler],
    },
    { logger: false },
  );
  const store = app.get(StoreService);
  await store.put('/limits/a', { count: 1 });
  console.log('store ' + JSON.stringify(store.get('/limits/a', Limit)));
  await app.get(WatcherService).put('/events/1', 'hello');
  await handled;
  await app.get(WatcherService).delete('/events/1');
  await app.close();
  console.log('closed');
}
main();
`;
const NAMES = {
  '@nestjs/core': ['NestFactory'],
  'class-validator': ['IsInt'],
  'nestjs-etcd-trigger': ['EtcdTriggerModule', 'StoreService', 'WatchKey', 'WatcherService'],
};

describe('the packed tarball, installed into an empty Nest application', () => {
  let etcd: EtcdTestCluster;
  let project: ConsumerProject;

  beforeAll(async () => {
    etcd = await EtcdTestCluster.start();
    const versions = await Promise.all(PEERS.map(async (name) => [name, await versionOf(name)] as const));
    project = await ConsumerProject.create(Object.fromEntries(versions));
  }, 240_000);
  afterAll(async () => {
    await project[Symbol.asyncDispose]();
    await etcd.stop();
  });

  it.each([
    ['an ES module', 'app.mjs', (names: string[], from: string) => `import { ${names.join(', ')} } from '${from}';`],
    [
      'a CommonJS module',
      'app.cjs',
      (names: string[], from: string) => `const { ${names.join(', ')} } = require('${from}');`,
    ],
  ])('works in %s, and the process ends', async (_, file, importOf) => {
    const imports = Object.entries(NAMES).map(([from, names]) => importOf(names, from));
    await project.write({ [file]: [importOf([], 'reflect-metadata'), ...imports, APP].join('\n') });
    const output = await project.run(process.execPath, [file], { ETCD_HOSTS: etcd.hosts.join() });

    expect(output.trim().split('\n')).toEqual(['store {"count":1}', 'handler /events/1 hello', 'closed']);
  });

  it.each([
    ['as in current Nest applications', 'nodenext', 'nodenext'],
    ['as in older ones', 'commonjs', 'node10'],
    ['for a bundler', 'esnext', 'bundler'],
  ])('has types for module resolution %s', async (_, module, moduleResolution) => {
    const types = `import { StoreService, WatcherService } from 'nestjs-etcd-trigger';
       import { EtcdTriggerHealthIndicator } from 'nestjs-etcd-trigger/terminus';
       import { FakeCluster } from 'nestjs-etcd-trigger/testing';
       export const names: string[] = [StoreService, WatcherService, EtcdTriggerHealthIndicator, FakeCluster].map(({ name }) => name);
       export const wrong: string = new FakeCluster().revision;`;
    await project.write({ 'types.ts': types });
    const tsconfig = {
      module,
      moduleResolution,
      target: 'es2022',
      strict: true,
      skipLibCheck: true,
      noEmit: true,
      types: [],
    };
    const { options } = ts.convertCompilerOptionsFromJson({ ...tsconfig, ignoreDeprecations: '6.0' }, project.folder);
    const program = ts.createProgram([join(project.folder, 'types.ts')], options);

    const diagnostics = ts.getPreEmitDiagnostics(program).map(({ messageText }) => messageText);
    expect(diagnostics).toEqual(["Type 'number' is not assignable to type 'string'."]);
  });

  it('finds a second copy of the package, at the import and at the start', async () => {
    await project.run('cp', ['-r', 'node_modules/nestjs-etcd-trigger', 'second-copy']);
    await project.write({
      'copies.mjs': [
        `import 'reflect-metadata';`,
        `import { NestFactory } from '@nestjs/core';`,
        `import { EtcdTriggerModule } from 'nestjs-etcd-trigger';`,
        `import { EtcdTriggerModule as Second, InvalidOptionsError } from './second-copy/dist/index.js';`,
        `const client = { hosts: process.env.ETCD_HOSTS };`,
        `const imports = { forRoot: [Second.forRoot({ client })], forFeature: [Second.forFeature([])] }[process.argv[2]];`,
        `class AppModule {}`,
        `const root = { module: AppModule, imports: [EtcdTriggerModule.forRoot({ client }), ...imports] };`,
        `await NestFactory.createApplicationContext(root, { logger: false, abortOnError: false }).then(`,
        `  () => console.log('started'),`,
        `  (error) => console.log(error instanceof InvalidOptionsError, error.message),`,
        `);`,
        `process.exit();`,
      ].join('\n'),
    });
    const places =
      /0\.1\.0 in \S*(node_modules\/nestjs-etcd-trigger|second-copy)\/ and 0\.1\.0 in \S*(node_modules|second-copy)/;
    for (const imported of ['forRoot', 'forFeature']) {
      const script = `node copies.mjs ${imported} 2>&1`;
      const output = await project.run('sh', ['-c', script], { ETCD_HOSTS: etcd.hosts.join() });
      const [warning, error] = [
        /Warning: (two copies .*)/.exec(output)?.[1],
        /^true (two copies .*)/m.exec(output)?.[1],
      ];

      expect(warning).toMatch(places);
      expect(error).toMatch(places);
    }
  });
});

const versionOf = async (name: string): Promise<string> =>
  (JSON.parse(await readFile(join('node_modules', name, 'package.json'), 'utf8')) as { version: string }).version;
