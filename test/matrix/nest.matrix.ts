import { cp, mkdir, readdir, readFile, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConsumerProject, nestDependencies } from '../support/consumer-project.js';
import { TemporaryFolder } from '../support/temporary-folder.js';
import { runSpecs } from './run-specs.js';

const COPIED = ['lib', 'test', 'docs', 'package.json', 'tsconfig.json', 'vitest.config.ts', 'README.md'];

/** The repository uses Nest 12. This test runs its sources and specs on another version of Nest. */
describe('the specs of module, handlers and store', () => {
  let nest: ConsumerProject;
  let copy: TemporaryFolder;

  beforeAll(async () => {
    nest = await ConsumerProject.create(nestDependencies('11'));
    copy = await TemporaryFolder.create('nest-11');
    for (const name of COPIED) await cp(name, join(copy.path, name), { recursive: true });
    await mkdir(join(copy.path, 'node_modules'));
    for (const name of await readdir('node_modules')) {
      if (name === '@nestjs') continue;
      await symlink(resolve('node_modules', name), join(copy.path, 'node_modules', name));
    }
    // Nest resolves its own dependencies next to its installation, so the whole folder is linked.
    await symlink(join(nest.folder, 'node_modules/@nestjs'), join(copy.path, 'node_modules/@nestjs'));
  });
  afterAll(async () => {
    await copy[Symbol.asyncDispose]();
    await nest[Symbol.asyncDispose]();
  });

  it('pass on Nest 11', async () => {
    const specs = ['test/integration/module.assembly.spec.ts', 'test/integration/handlers.delivery.spec.ts'];
    const more = [
      'test/integration/store.live-configuration.spec.ts',
      'test/testing/fake/fake-cluster.spec.ts',
      'test/testing/settled.spec.ts',
    ];

    const manifest = await readFile(join(copy.path, 'node_modules/@nestjs/core/package.json'), 'utf8');

    expect(manifest).toContain('"version": "11.');
    expect(await runSpecs([...specs, ...more], { cwd: copy.path })).toBe('passed');
  });
});
