import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

it('CONTRIBUTING.md lists exactly the scripts of package.json', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
  const [, section = ''] = readFileSync('CONTRIBUTING.md', 'utf8').split(/^## Scripts$/m);
  const known = Array.from(section.matchAll(/`(?:npm (?:run )?)?([a-z]+(?::[a-z]+)*)`/g), ([, name = '']) => name);

  expect([...new Set(known)].sort()).toEqual(Object.keys(scripts).sort());
});
