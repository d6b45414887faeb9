import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FAKE_SABOTAGES } from '../../sabotage/fake-sabotages.js';

describe('the sabotages of the fake', () => {
  it('break lines that it has', () => {
    const gone = FAKE_SABOTAGES.filter(
      ({ file, line }) => !readFileSync(join('lib/testing/fake', file), 'utf8').includes(line),
    );

    expect(gone.map(({ name }) => name)).toEqual([]);
  });
});
