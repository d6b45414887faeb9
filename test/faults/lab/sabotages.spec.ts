import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { replacementsOf, SABOTAGES } from './sabotages.js';

describe('npm run test:sabotage', () => {
  it('breaks each of the twelve rules of the watch protocol', () => {
    const rules = new Set(SABOTAGES.map(({ rule }) => Number.parseInt(rule)));

    expect([...rules]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });

  it.each(SABOTAGES)('finds the lines that it breaks: $name', (sabotage) => {
    for (const { file, line, instead } of replacementsOf(sabotage)) {
      expect(readFileSync(`lib/${file}`, 'utf8').split(line)).toHaveLength(2);
      expect(instead).not.toBe(line);
    }
  });
});
