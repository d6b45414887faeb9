import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compileSnippets, namelessSnippetsIn, snippetsOf } from '../readme/snippets.js';

const DOCUMENT = 'docs/testing.md';
const FOLDER = resolve('test/docs/.snippets/testing');
const SNIPPETS = snippetsOf(DOCUMENT);
const TESTS = [...SNIPPETS.keys()].filter((title) => title.endsWith('.test.ts'));

describe('docs/testing.md', async () => {
  const diagnostics = compileSnippets(SNIPPETS, FOLDER);

  it('compiles every snippet and names its file', () => {
    expect(diagnostics).toEqual([]);
    expect(namelessSnippetsIn(DOCUMENT)).toBe(0);
    expect(TESTS).toEqual([
      'order.service.test.ts',
      'app.test.ts',
      'faults.test.ts',
      'pods.test.ts',
      'locks.test.ts',
      'integration.test.ts',
    ]);
  });

  // The snippets contain tests. Importing them registers the tests in this file.
  for (const title of TESTS) await import(join(FOLDER, title.replace(/\.ts$/, '.js')));
});
