import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compileSnippets, namelessSnippetsIn, snippetsOf } from '../readme/snippets.js';

const DOCUMENT = 'docs/testing.md';
const FOLDER = resolve('test/docs/.snippets/testing');
const SNIPPETS = snippetsOf(DOCUMENT);
const TESTS = [...SNIPPETS.keys()].filter((title) => title.endsWith('.test.ts'));

describe('the guide to testing', async () => {
  const complaints = compileSnippets(SNIPPETS, FOLDER);

  it('compiles, and names the file of every snippet', () => {
    expect(complaints).toEqual([]);
    expect(namelessSnippetsIn(DOCUMENT)).toBe(0);
    expect(TESTS).toEqual(['order.service.test.ts', 'app.test.ts', 'faults.test.ts', 'integration.test.ts']);
  });

  // The snippets are tests: importing them adds them to this file's.
  for (const title of TESTS) await import(join(FOLDER, title.replace(/\.ts$/, '.js')));
});
