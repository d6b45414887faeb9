import { describe, expect, it } from 'vitest';
import type { Change } from '../listener-history.js';
import { StoreIncarnation } from '../store-history.js';
import { EffectChecker, GROUPS } from './effect-checker.js';

/** A write of the history: a key and its value, or a key that is deleted. */
type Write = readonly [key: string, value?: string];

const ownerKey = (group: string): string => `/coordination/v1/groups/${group}/owners/000`;
const effectKey = (group: string, write: string): string => `/effects/${group}/${write}`;
const effect = (token: number): string => JSON.stringify({ pod: 'pod-1', token });

/** Both groups have an owner since revisions 2 and 3. */
const OWNED: readonly Write[] = GROUPS.map((group) => [ownerKey(group), 'pod-1']);
const TOKENS = { committed: 2, fenced: 3 };

/** Returns the violations of a history that begins with the owners, at revision 2. */
function violationsOf(...writes: readonly Write[]): EffectChecker {
  const history = new StoreIncarnation(1, new Map());
  const keys = new Map<string, Change>();
  for (const [key, value] of [...OWNED, ...writes]) {
    const revision = history.head + 1;
    const before = keys.get(key);
    const change: Change = {
      type: value === undefined ? 'delete' : 'put',
      key,
      value,
      revision,
      createRevision: before?.createRevision ?? revision,
      version: (before?.version ?? 0) + 1,
      lease: undefined,
    };
    if (value === undefined) keys.delete(key);
    else keys.set(key, change);
    history.append(revision, [change]);
  }
  const checker = new EffectChecker();
  checker.read(history, history.head);
  return checker;
}

const ORDER: Write = ['/orders/a', '1'];
const COMMITTED: Write = [effectKey('committed', '4/a'), effect(TOKENS.committed)];
const FENCED: Write = [effectKey('fenced', '4/a'), effect(TOKENS.fenced)];

describe('the checker of effects', () => {
  it('accepts one effect in each group', () => {
    const checker = violationsOf(ORDER, COMMITTED, FENCED);
    checker.finish();

    expect(checker.violations).toEqual([]);
    expect(checker).toMatchObject({ writes: 1, effects: 2, repeated: 0 });
  });

  it('finds an effect that is missing', () => {
    const checker = violationsOf(ORDER, FENCED);

    expect(checker.missing).toBe(1);
    checker.finish();
    expect(checker.violations).toEqual(['"committed" has no effect of 4/a']);
  });

  it('requires an effect of a deletion too', () => {
    expect(violationsOf(ORDER, COMMITTED, FENCED, ['/orders/a']).missing).toBe(2);
  });

  it('refuses the repetition of an effect with commit(), and counts one without', () => {
    const checker = violationsOf(ORDER, COMMITTED, FENCED, FENCED, COMMITTED);

    expect(checker.repeated).toBe(2);
    expect(checker.violations).toEqual(['"committed" wrote the effect of 4/a again at revision 8']);
  });

  it('finds an effect of a write that does not exist', () => {
    expect(violationsOf(COMMITTED).violations).toEqual([
      '"committed" wrote an effect of 4/a at revision 4, and nothing wrote it',
    ]);
  });

  it('finds the effect of a past owner', () => {
    const [owner = ''] = OWNED.map(([key]) => key);

    expect(violationsOf(ORDER, [owner], [owner, 'pod-2'], COMMITTED).violations).toEqual([
      '"pod-1" wrote an effect of 4/a in "committed" at revision 7 and did not own its partition (token 2)',
    ]);
  });

  it('finds an effect of an owner of another group', () => {
    const [key] = COMMITTED;

    expect(violationsOf(ORDER, [key, effect(TOKENS.fenced)]).violations).toHaveLength(1);
  });

  it('finds an order whose writes were handled in the wrong order', () => {
    const second: Write = [effectKey('committed', '5/a'), effect(TOKENS.committed)];

    expect(violationsOf(ORDER, ORDER, second, COMMITTED).violations).toEqual([
      '"committed" handled revision 4 of "a" after revision 5',
    ]);
  });
});
