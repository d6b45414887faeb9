import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import type { AddressInfo } from 'node:net';
import type { INestApplication } from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compileSnippets, namelessSnippetsIn, snippetsOf } from '../readme/snippets.js';
import { ownEtcd } from '../support/own-etcd.js';

const GUIDE = 'docs/before-nest.md';
const FOLDER = resolve('test/docs/.snippets/before-nest');

/** Runs a program of ES modules in a process of its own, which must end without `process.exit()`. */
async function run(program: string): Promise<{ readonly code: unknown; readonly output: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  }
  const code = await new Promise((closed) => child.once('close', closed));
  return { code, output };
}

describe('docs/before-nest.md', () => {
  const etcd = ownEtcd();

  beforeAll(() => {
    process.env.ETCD_HOSTS = etcd.hosts.join();
    expect(namelessSnippetsIn(GUIDE)).toBe(0);
    expect(compileSnippets(snippetsOf(GUIDE), FOLDER)).toEqual([]);
  });
  beforeEach(async () => {
    await etcd.put('/shop/http', '{"port":0,"logLevels":["error"]}');
    await etcd.put('/shop/tenants/main', '{"database":"postgres://main"}');
    await etcd.put('/shop/tenants/other', '{"database":"postgres://other"}');
  });
  afterAll(() => {
    delete process.env.ETCD_HOSTS;
  });

  const load = async <T>(file: string, name: string): Promise<T> =>
    ((await import(join(FOLDER, file))) as Record<string, T>)[name] as T;

  it('starts an application on the port of its configuration', async () => {
    const bootstrap = await load<() => Promise<INestApplication>>('main.js', 'bootstrap');
    const app = await bootstrap();

    expect((app.getHttpServer() as { address(): AddressInfo }).address().port).toBeGreaterThan(0);
    await app.close();
  });

  it('reads the tenants for a script, whose process then ends', async () => {
    const { code, output } = await run(
      `const { migrate } = await import(${JSON.stringify(join(FOLDER, 'migrate.js'))});
       await migrate(async (name, database) => console.log(name, database));`,
    );

    expect(output).toContain('main postgres://main\nother postgres://other\n');
    expect(code).toBe(0);
  });

  it('configures another tool', async () => {
    expect(await load('data-source.js', 'default')).toEqual({ type: 'postgres', url: 'postgres://main' });
  });

  it('ends the process after a failure, which names what is missing', async () => {
    await etcd.direct.delete().key('/shop/http');
    const { code, output } = await run(
      `const { bootstrap } = await import(${JSON.stringify(join(FOLDER, 'main.js'))});
       await bootstrap().catch(({ message }) => console.log(message));`,
    );

    expect(output).toContain('the application cannot start: key "/shop/http" is required and missing');
    expect(code).toBe(0);
  });
});
