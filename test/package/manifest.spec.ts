import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

describe('the package', () => {
  it('contains what it should and nothing else', async () => {
    const { stdout } = await promisify(execFile)('npm', ['pack', '--dry-run', '--json', '--ignore-scripts']);
    const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }];
    const others = files.map(({ path }) => path).filter((path) => !/^dist\/.+\.(js|d\.ts)$/.test(path));

    // The guides belong to the version that is installed; the API reference, which is generated, is told by the types.
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
    expect(files.map(({ path }) => path)).toContain('dist/testing/index.d.ts');
  });

  it('is locked without the addresses of a registry', () => {
    expect(readFileSync('package-lock.json', 'utf8')).not.toContain('"resolved"');
  });
});
