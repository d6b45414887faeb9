import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const PEERS = ['@nestjs/common', '@nestjs/core', 'class-transformer', 'class-validator', 'reflect-metadata', 'rxjs'];

/** The same application for both module systems; plain JavaScript, so decorators are called as functions. */
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
  let folder: string;

  beforeAll(async () => {
    etcd = await EtcdTestCluster.start();
    folder = await mkdtemp(join(tmpdir(), 'installed-'));
    const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder]);
    const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
    const dependencies = Object.fromEntries(
      await Promise.all(PEERS.map(async (name) => [name, await versionOf(name)] as const)),
    );
    const manifest = {
      private: true,
      overrides: { 'file-type': '21.3.4' },
      dependencies: { ...dependencies, 'nestjs-etcd-trigger': `file:${filename}` },
    };
    await writeFile(join(folder, 'package.json'), JSON.stringify(manifest));
    await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund'], { cwd: folder });
  }, 240_000);
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
    await etcd.stop();
  });

  it.each([
    ['an ES module', 'app.mjs', (names: string[], from: string) => `import { ${names.join(', ')} } from '${from}';`],
    [
      'a CommonJS module',
      'app.cjs',
      (names: string[], from: string) => `const { ${names.join(', ')} } = require('${from}');`,
    ],
  ])('works from %s, which ends by itself', async (_, file, importOf) => {
    const imports = Object.entries(NAMES).map(([from, names]) => importOf(names, from));
    await writeFile(join(folder, file), [importOf([], 'reflect-metadata'), ...imports, APP].join('\n'));
    const { stdout } = await run(process.execPath, [file], {
      cwd: folder,
      env: { ...process.env, ETCD_HOSTS: etcd.hosts.join() },
    });

    expect(stdout.trim().split('\n')).toEqual(['store {"count":1}', 'handler /events/1 hello', 'closed']);
  });

  it.each([
    ['as Nest applications have it now', 'nodenext', 'nodenext'],
    ['as older ones have it', 'commonjs', 'node10'],
    ['for a bundler', 'esnext', 'bundler'],
  ])('has its types where modules are found %s', async (_, module, moduleResolution) => {
    const file = join(folder, 'types.ts');
    await writeFile(
      file,
      `import { StoreService, WatcherService } from 'nestjs-etcd-trigger';
       import { EtcdTriggerHealthIndicator } from 'nestjs-etcd-trigger/terminus';
       import { FakeCluster } from 'nestjs-etcd-trigger/testing';
       export const names: string[] = [StoreService, WatcherService, EtcdTriggerHealthIndicator, FakeCluster].map(({ name }) => name);
       export const wrong: string = new FakeCluster().revision;`,
    );
    const tsconfig = {
      module,
      moduleResolution,
      target: 'es2022',
      strict: true,
      skipLibCheck: true,
      noEmit: true,
      types: [],
    };
    const { options } = ts.convertCompilerOptionsFromJson({ ...tsconfig, ignoreDeprecations: '6.0' }, folder);
    const program = ts.createProgram([file], options);

    const complaints = ts.getPreEmitDiagnostics(program).map(({ messageText }) => messageText);
    expect(complaints).toEqual(["Type 'number' is not assignable to type 'string'."]);
  });
});

const versionOf = async (name: string): Promise<string> =>
  (JSON.parse(await readFile(join('node_modules', name, 'package.json'), 'utf8')) as { version: string }).version;
