import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly peerDependencies: Record<string, string>;
}

const { dependencies, peerDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;

/** The names in the first column of a section's table. */
function packagesOf(section: string): string[] {
  const [, text = ''] = readFileSync('docs/dependencies.md', 'utf8').split(`## ${section}\n`);
  const [table = ''] = text.split(/^## /m);
  const cells = Array.from(table.matchAll(/^\| (`[^|]+)\|/gm), ([, cell = '']) => cell);
  return cells.flatMap((cell) => Array.from(cell.matchAll(/`([^`]+)`/g), ([, name = '']) => name)).sort();
}

describe('docs/dependencies.md', () => {
  it('lists every package that is installed with the library, and the README names it', () => {
    expect(packagesOf('What the package installs')).toEqual(Object.keys(dependencies).sort());
    const [, section = ''] = readFileSync('README.md', 'utf8').split(/^## Dependencies$/m);
    for (const name of Object.keys(dependencies)) expect(section).toContain(`\`${name}\``);
  });

  it('lists every package that the application brings', () => {
    expect(packagesOf('What your application brings')).toEqual(Object.keys(peerDependencies).sort());
  });
});
