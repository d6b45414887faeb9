import { describe, expect, it } from 'vitest';
import { UndeclaredHistory } from '../../../lib/coordination/groups/undeclared-history.js';

describe('another history of the store', () => {
  it('is declared by the next owner, and forgotten when that is another instance', () => {
    const undeclared = new UndeclaredHistory();
    undeclared.note(0, 'restored', 7);
    undeclared.note(1, 'cluster-changed', undefined);
    // The owner before the restore is still seen, and ends.
    undeclared.seen(new Map([[0, 7]]));
    expect([0, 1, 2].map((partition) => undeclared.reasonOf(partition))).toEqual([
      'restored',
      'cluster-changed',
      undefined,
    ]);
    undeclared.seen(
      new Map([
        [0, 9],
        [1, 10],
      ]),
    );
    expect([0, 1].map((partition) => undeclared.reasonOf(partition))).toEqual([undefined, undefined]);
  });
});
