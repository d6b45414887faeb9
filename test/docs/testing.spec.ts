import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
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

  it('keeps etcd running as long as the script runs', async () => {
    const [, code = ''] = /^```js title="etcd.mjs"\n([\s\S]*?)^```$/m.exec(readFileSync(DOCUMENT, 'utf8')) ?? [];
    const file = join(FOLDER, 'etcd.mjs');
    writeFileSync(file, code);
    const script = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const [line] = (await once(script.stdout, 'data')) as [Buffer];
      const url = line.toString().trim();
      await sleep(1_000);
      expect((await fetch(`${url}/health`)).ok).toBe(true);

      script.kill('SIGINT');
      await once(script, 'exit');
      await vi.waitFor(() => expect(fetch(`${url}/health`)).rejects.toThrow(), { timeout: 10_000 });
    } finally {
      script.kill('SIGKILL');
    }
  });

  // The snippets contain tests. Importing them registers the tests in this file.
  for (const title of TESTS) await import(join(FOLDER, title.replace(/\.ts$/, '.js')));
});
