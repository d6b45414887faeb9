import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { EtcdTriggerModule } from 'nestjs-etcd-trigger';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { compileSnippets, namelessSnippetsIn, snippetsOf } from '../readme/snippets.js';
import { eventually } from '../support/eventually.js';
import { quiet } from '../support/quiet-logger.js';

const DOCUMENT = 'docs/errors.md';
const FOLDER = resolve('test/docs/.snippets/errors');
const SOURCES = ['lib/etcd-trigger.errors.ts', 'lib/testing/etcd-testing.errors.ts'];

/** `class code extends` of every error class that programs can catch. */
const classesIn = (source: string): string[] =>
  Array.from(
    readFileSync(source, 'utf8').matchAll(
      /^export class (\w+) extends (\w+) \{[\s\S]*?^ {2}(?:override )?readonly code(?:: string)? = '(\w+)'/gm,
    ),
    ([, name = '', parent = '', code = '']) => `${name} ${code} ${parent}`,
  );

describe('docs/errors.md', () => {
  beforeAll(() => {
    expect(namelessSnippetsIn(DOCUMENT)).toBe(0);
    expect(compileSnippets(snippetsOf(DOCUMENT), FOLDER)).toEqual([]);
  });

  it('lists every error class with its code and its parent', () => {
    const rows = Array.from(
      readFileSync(DOCUMENT, 'utf8').matchAll(/^\| `(\w+)` +\| `(\w+)` +\| `(\w+)` +\| \S/gm),
      ([, name = '', code = '', parent = '']) => `${name} ${code} ${parent}`,
    );
    const classes = SOURCES.flatMap(classesIn);

    expect(classes).toContain('UnknownOutcomeError ETCD_UNKNOWN_OUTCOME WriteError');
    expect(rows.sort()).toEqual(classes.sort());
  });

  it('leaves no class of the sources out', () => {
    for (const source of SOURCES) {
      const declared = readFileSync(source, 'utf8').match(/^export class /gm) ?? [];
      expect(classesIn(source).length).toBe(declared.length);
    }
  });

  it('shows a claim that handles a conflict and a lost answer', async () => {
    const { Claim, Claims } = (await import(join(FOLDER, 'claims.js'))) as Record<string, Type>;
    const fake = new FakeCluster();
    const module = await Test.createTestingModule({
      imports: [
        EtcdTriggerModule.forRoot({
          client: fake,
          logger: quiet,
          configs: [{ prefix: '/claims/', type: Claim as Type<object> }],
        }),
      ],
      providers: [Claims as Type],
    }).compile();
    const app = await module.createNestApplication({ logger: false }).init();
    const claims = app.get<{ claim(key: string, owner: string): Promise<string> }>(Claims as Type);

    expect(await claims.claim('/claims/a', 'first')).toBe('first');
    expect(await claims.claim('/claims/a', 'second')).toBe('first');
    fake.freeze();
    const unanswered = claims.claim('/claims/b', 'third');
    await eventually(() => fake.json('/claims/b') !== undefined);
    fake.disconnect();
    fake.thaw();
    fake.reconnect();
    expect(await unanswered).toBe('third');
    await app.close();
  });
});
