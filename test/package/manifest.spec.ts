import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { PACKAGE_VERSION } from '../../lib/module/package-copy.js';

describe('the package', () => {
  it('contains only the expected files', async () => {
    const { stdout } = await promisify(execFile)('npm', ['pack', '--dry-run', '--json', '--ignore-scripts']);
    const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }];
    const others = files
      .map(({ path }) => path)
      .filter((path) => !/^dist\/(.+\.(js|d\.ts)|console\/page\/.+\.(html|css|svg))$/.test(path));

    // The package includes the guides. It does not include the generated API reference, because the types document it.
    const guides = readdirSync('docs').filter((name) => name.endsWith('.md'));
    expect(others.sort()).toEqual(
      [
        'CHANGELOG.md',
        'GUARANTEES.md',
        'LICENSE',
        'README.md',
        'README.zh-CN.md',
        'SECURITY.md',
        'package.json',
        ...guides.map((name) => `docs/${name}`),
      ].sort(),
    );
    expect(files.length).toBeGreaterThan(60);
    const paths = files.map(({ path }) => path);
    expect(paths).toContain('dist/testing/index.d.ts');
    for (const name of readdirSync('lib/console/page')) expect(paths).toContain(`dist/console/page/${name}`);
  });

  it('knows its own version', () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };

    expect(PACKAGE_VERSION).toBe(version);
  });

  it('has a lock file without registry addresses', () => {
    expect(readFileSync('package-lock.json', 'utf8')).not.toContain('"resolved"');
  });
});
