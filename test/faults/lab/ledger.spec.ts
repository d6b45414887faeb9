import { describe, expect, it } from 'vitest';
import type { Change } from './history.js';
import { Ledger } from './ledger.js';
import { putStep, writerOf } from './operation.js';
import { Past } from './truth.js';

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

/** A store that was written to once at each revision, by these. */
function written(...ids: string[]): Past {
  const past = new Past(0, new Map());
  ids.forEach((id, index) => {
    past.append(index + 1, [putAt(index + 1, id)]);
  });
  return past;
}

function violations(past: Past, answer: (ledger: Ledger) => void): string[] {
  const ledger = new Ledger();
  answer(ledger);
  ledger.settle(past, past.head);
  return ledger.violations;
}

const acknowledged = (revision: number) =>
  ({ kind: 'acknowledged', revision, steps: [putStep('w1-1', KEY, 2)] }) as const;

describe('the ledger of writes', () => {
  it('is content when what was acknowledged is there, and what is unknown is there once or not at all', () => {
    const found = violations(written('w1-1', 'w1-2'), (ledger) => {
      for (const id of ['w1-1', 'w1-2', 'w1-3']) ledger.sent(id);
      ledger.answered('w1-1', acknowledged(1));
      ledger.answered('w1-2', { kind: 'unknown' });
      ledger.answered('w1-3', { kind: 'unknown' });
    });

    expect(found).toEqual([]);
  });

  it.each([
    ['is not at its revision', written('w1-2', 'w1-1'), acknowledged(1), 'was acknowledged at revision 1, where'],
    ['was applied twice', written('w1-1', 'w1-1'), { kind: 'unknown' }, 'was applied twice, at revisions 1 and 2'],
    ['was refused, they say', written('w1-1'), { kind: 'refused' }, 'was applied at 1 and reported as refused'],
  ] as const)('finds a write that %s', (_, past, outcome, message) => {
    const found = violations(past, (ledger) => {
      for (const id of ['w1-1', 'w1-2']) ledger.sent(id);
      ledger.answered('w1-1', outcome);
    });

    expect(found.join()).toContain(message);
  });

  it('finds a write that nobody has sent', () => {
    expect(violations(written('w9-9'), () => undefined)).toEqual(['revision 1 was written by nobody (w9-9)']);
  });

  it('knows whose write a value is, document or not', () => {
    for (const key of ['/lab/a/1', '/lab/config/1']) {
      const step = putStep('app-27', key, 500);
      expect(step.type === 'put' && writerOf(step.value.toString())).toBe('app-27');
    }
  });
});
