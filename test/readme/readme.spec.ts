import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { INestApplication, LoggerService, Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { quiet } from '../support/quiet-logger.js';
import { compileSnippets, namelessSnippetsIn, snippetsOf } from './snippets.js';

const DOCUMENT = 'README.md';
const FOLDER = resolve('test/readme/.snippets');
const TITLES = ['database.config.ts', 'app.module.ts', 'database.client.ts', 'order.handlers.ts'];

interface DatabaseClient {
  readonly passwordIsExpired: boolean;
  moveTo(host: string): Promise<void>;
}

/** Prints one line per call, in the form that the README uses. */
class PrintingLogger implements LoggerService {
  readonly lines: string[] = [];
  log(message: string, context: string): void {
    this.lines.push(`LOG [${context}] ${message}`);
  }
  warn(message: string, context: string): void {
    this.lines.push(`WARN [${context}] ${message}`);
  }
  error(message: string, _stack?: string, context?: string): void {
    this.lines.push(`ERROR [${context ?? ''}] ${message}`);
  }
}

describe('the README', () => {
  const etcd = ownEtcd();
  const text = readFileSync(DOCUMENT, 'utf8');
  const [, section = ''] = /^## Is it working\?$([\s\S]*?)^## /m.exec(text) ?? [];
  const commands = Array.from(section.matchAll(/^etcdctl put (\S+) (.+)$|^# Start/gm), ([line, key, value]) => ({
    line,
    key: key ?? '',
    value: value?.replaceAll("'", '') ?? '',
  }));
  const startsAt = commands.findIndex(({ line }) => line.startsWith('# Start'));

  beforeAll(() => {
    process.env.ETCD_HOSTS = etcd.hosts.join();
    process.env.POD_NAME = 'shop-0';
    const snippets = snippetsOf(DOCUMENT);
    expect([...snippets.keys()]).toEqual(TITLES);
    expect(compileSnippets(snippets, FOLDER)).toEqual([]);
  });
  afterAll(() => {
    delete process.env.ETCD_HOSTS;
    delete process.env.POD_NAME;
  });

  const load = async <T>(file: string, name: string): Promise<Type<T>> => {
    const module = (await import(join(FOLDER, file))) as Record<string, Type<T>>;
    const found = module[name];
    if (!found) throw new Error(`${file} exports no ${name}`);
    return found;
  };
  const start = async (logger: LoggerService = quiet): Promise<INestApplication> => {
    const built = await Test.createTestingModule({ imports: [await load('app.module.js', 'AppModule')] })
      .setLogger(logger)
      .compile();
    return built.createNestApplication({ logger }).init();
  };
  const write = async (some: typeof commands): Promise<void> => {
    for (const { key, value } of some) await etcd.put(key, value);
  };

  it('has a size that is read in minutes', () => {
    expect(Buffer.byteLength(text)).toBeGreaterThan(10_000);
    expect(Buffer.byteLength(text)).toBeLessThan(12_000);
  });

  it('names the file of every snippet, so that none is left out', () => {
    expect(namelessSnippetsIn(DOCUMENT)).toBe(0);
  });

  it('shows the log lines that its commands cause', async () => {
    const [, block = ''] = /^```text\n([\s\S]*?)^```$/m.exec(section) ?? [];
    const shown = block.trim().split('\n').map(comparable);
    const logger = new PrintingLogger();
    const printed = (): string[] =>
      logger.lines.map(comparable).filter((line) => !/^LOG \[(Nest|Instance|Router)/.test(line));
    expect(startsAt).toBeGreaterThan(0);

    await write(commands.slice(0, startsAt));
    const app = await start(logger);
    await eventually(() => printed().length === 4);
    for (const [index, command] of commands.slice(startsAt + 1).entries()) {
      await write([command]);
      await eventually(() => printed().length === 5 + index);
    }

    expect(printed()).toEqual(shown);
    await app.close();
  });

  it('writes and reads the configuration as it says', async () => {
    await write(commands.slice(0, startsAt));
    const app = await start();
    const client = app.get<DatabaseClient>(await load('database.client.js', 'DatabaseClient'));

    expect(client.passwordIsExpired).toBe(false);
    await client.moveTo('db-9');
    expect(await etcd.direct.get('/app/database').json()).toMatchObject({ host: 'db-9', tls: 'required' });
    await app.close();
  });

  it('is right that one invalid value stops the start', async () => {
    await write(commands.slice(-1));

    await expect(start()).rejects.toMatchObject({ code: 'ETCD_BOOT', problems: [{ reason: 'invalid' }] });
  });
});

/** Without alignment, duration, and the revision, which depends on what the server did before. */
const comparable = (line: string): string =>
  line
    .trim()
    .replace(/at revision \d+/, 'at revision N')
    .replace(/in \d+ ms/, 'in N ms');
