import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { COORDINATION_SABOTAGES } from './coordination-sabotages.js';
import { FAKE_SABOTAGES } from './fake-sabotages.js';
import { GROUP_SABOTAGES } from './group-sabotages.js';

describe('npm run test:sabotage:fake', () => {
  it.each(FAKE_SABOTAGES)('finds the line that it breaks: $name', ({ file, line, broken }) => {
    expect(readFileSync(`lib/testing/fake/${file}`, 'utf8')).toContain(line);
    expect(broken).not.toBe(line);
  });
});

describe('npm run test:sabotage:coordination and test:sabotage:groups', () => {
  it.each([...COORDINATION_SABOTAGES, ...GROUP_SABOTAGES])(
    'finds the line that it breaks: $name',
    ({ file, line, broken, spec }) => {
      expect(readFileSync(`lib/${file}`, 'utf8').split(line)).toHaveLength(2);
      expect(broken).not.toBe(line);
      expect(existsSync(spec)).toBe(true);
    },
  );
});
