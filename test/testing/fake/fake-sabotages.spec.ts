import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FAKE_SABOTAGES } from '../../sabotage/fake-sabotages.js';

describe('the sabotages of the fake', () => {
  it('replace existing lines', () => {
    const missing = FAKE_SABOTAGES.filter(
      ({ file, line }) => !readFileSync(join('lib/testing/fake', file), 'utf8').includes(line),
    );

    expect(missing.map(({ name }) => name)).toEqual([]);
  });
});
