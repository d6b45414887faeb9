import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConsumerProject, nestDependencies } from './consumer-project.js';
import { runSpecs } from './run-specs.js';

const COPIED = ['lib', 'test', 'docs', 'package.json', 'tsconfig.json', 'vitest.config.ts', 'README.md'];

/** The repository uses Nest 12. This test runs its sources and specs on another version of Nest. */
describe('the specs of module, handlers and store', () => {
  let nest: ConsumerProject;
  let copy: string;

  beforeAll(async () => {
    nest = await ConsumerProject.create(nestDependencies('11'));
    copy = await mkdtemp(join(tmpdir(), 'nest-11-'));
    for (const name of COPIED) await cp(name, join(copy, name), { recursive: true });
    await mkdir(join(copy, 'node_modules'));
    for (const name of await readdir('node_modules')) {
      if (name === '@nestjs') continue;
      await symlink(resolve('node_modules', name), join(copy, 'node_modules', name));
    }
    // Nest resolves its own dependencies next to its installation, so the whole folder is linked.
    await symlink(join(nest.folder, 'node_modules/@nestjs'), join(copy, 'node_modules/@nestjs'));
  });
  afterAll(async () => {
    await rm(copy, { recursive: true, force: true });
    await nest[Symbol.asyncDispose]();
  });

  it('pass on Nest 11', async () => {
    const specs = ['test/integration/module.assembly.spec.ts', 'test/integration/handlers.delivery.spec.ts'];
    const more = [
      'test/integration/store.live-configuration.spec.ts',
      'test/testing/fake/fake-cluster.spec.ts',
      'test/testing/settled.spec.ts',
    ];

    const manifest = await readFile(join(copy, 'node_modules/@nestjs/core/package.json'), 'utf8');

    expect(manifest).toContain('"version": "11.');
    expect(await runSpecs([...specs, ...more], { cwd: copy })).toBe('passed');
  });
});
