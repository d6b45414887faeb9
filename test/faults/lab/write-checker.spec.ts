import { describe, expect, it } from 'vitest';
import type { Change } from './listener-history.js';
import { WriteChecker } from './write-checker.js';
import { putStep, writerOf } from './operation.js';
import { StoreIncarnation } from './store-history.js';

const KEY = '/lab/a/1';

const putAt = (revision: number, id: string, key = KEY): Change => ({
  type: 'put',
  key,
  value: `${id} xx`,
  revision,
  createRevision: 1,
  version: revision,
  lease: undefined,
});

/** Returns a store with one write at each revision, by these writers. */
function written(...ids: string[]): StoreIncarnation {
  const incarnation = new StoreIncarnation(0, new Map());
  ids.forEach((id, index) => {
    incarnation.append(index + 1, [putAt(index + 1, id)]);
  });
  return incarnation;
}

function violations(incarnation: StoreIncarnation, record: (writeChecker: WriteChecker) => void): string[] {
  const writeChecker = new WriteChecker();
  record(writeChecker);
  writeChecker.check(incarnation, incarnation.head);
  return writeChecker.violations;
}

const acknowledged = (revision: number) =>
  ({ kind: 'acknowledged', revision, steps: [putStep('w1-1', KEY, 2)] }) as const;

describe('the checker of writes', () => {
  it('accepts acknowledged writes that exist, and unknown ones that exist once or not at all', () => {
    const found = violations(written('w1-1', 'w1-2'), (writeChecker) => {
      for (const id of ['w1-1', 'w1-2', 'w1-3']) writeChecker.sent(id);
      writeChecker.completed('w1-1', acknowledged(1));
      writeChecker.completed('w1-2', { kind: 'unknown' });
      writeChecker.completed('w1-3', { kind: 'unknown' });
    });

    expect(found).toEqual([]);
  });

  it.each([
    ['is not at its revision', written('w1-2', 'w1-1'), acknowledged(1), 'was acknowledged at revision 1, where'],
    ['was applied twice', written('w1-1', 'w1-1'), { kind: 'unknown' }, 'was applied twice, at revisions 1 and 2'],
    [
      'was reported as rejected',
      written('w1-1'),
      { kind: 'rejected' },
      'was applied at revision 1 and reported as rejected',
    ],
  ] as const)('finds a write that %s', (_, incarnation, outcome, message) => {
    const found = violations(incarnation, (writeChecker) => {
      for (const id of ['w1-1', 'w1-2']) writeChecker.sent(id);
      writeChecker.completed('w1-1', outcome);
    });

    expect(found.join()).toContain(message);
  });

  it('finds a write without a known writer', () => {
    expect(violations(written('w9-9'), () => undefined)).toEqual(['revision 1 has no known writer (w9-9)']);
  });

  it('finds the writer of a value, whether it is a document or not', () => {
    for (const key of ['/lab/a/1', '/lab/config/1']) {
      const step = putStep('app-27', key, 500);
      expect(step.type === 'put' && writerOf(step.value.toString())).toBe('app-27');
    }
  });
});
