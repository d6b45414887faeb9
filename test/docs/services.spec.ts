import { join, resolve } from 'node:path';
import type { Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { EtcdTriggerModule } from 'nestjs-etcd-trigger';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { compileSnippets, namelessSnippetsIn, snippetsOf } from '../readme/snippets.js';
import { quiet } from '../support/quiet-logger.js';

const DOCUMENT = 'docs/services.md';
const FOLDER = resolve('test/docs/.snippets/services');

interface Example {
  show(print: (line: string) => void): Promise<void>;
}

describe('every snippet of docs/services.md', () => {
  beforeAll(() => {
    expect(namelessSnippetsIn(DOCUMENT)).toBe(0);
    expect(compileSnippets(snippetsOf(DOCUMENT), FOLDER)).toEqual([]);
  });

  const linesOf = async (file: string, name: string, fake: FakeCluster): Promise<string[]> => {
    const load = async (from: string, exported: string): Promise<Type> => {
      const module = (await import(join(FOLDER, from))) as Record<string, Type>;
      return module[exported] as Type;
    };
    const example = await load(file, name);
    const configs = [{ key: '/app/database', type: await load('database.config.js', 'DatabaseConfig') }];
    const module = await Test.createTestingModule({
      imports: [EtcdTriggerModule.forRoot({ client: fake, logger: quiet, configs })],
      providers: [example],
    }).compile();
    const app = await module.createNestApplication({ logger: false }).init();
    const lines: string[] = [];
    await app.get<Example>(example).show((line) => lines.push(line));
    await app.close();
    return lines;
  };

  it('watches, reads and writes bytes', async () => {
    const lines = await linesOf('raw.js', 'Raw', new FakeCluster());

    expect(lines[0]).toBe('/raw/a 3');
    expect(lines).toContain('010203');
  });

  it('reads, writes and follows typed configuration', async () => {
    const fake = new FakeCluster({ '/app/database': { host: 'db-1', port: 5_432 } });

    expect(await linesOf('typed.js', 'Typed', fake)).toEqual([
      'valid',
      'initial put /app/database',
      'live put /app/database',
      '/app/database',
    ]);
  });
});
