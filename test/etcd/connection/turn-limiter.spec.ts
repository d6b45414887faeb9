import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { TurnLimiter } from '../../../lib/etcd/connection/turn-limiter.js';

describe('TurnLimit', () => {
  it('lets so many pass at once, and the others in the turns after, in order', async () => {
    const limit = new TurnLimiter(2);
    const passed: number[] = [];
    for (let caller = 1; caller <= 5; caller += 1) void limit.pass().then(() => passed.push(caller));
    await Promise.resolve();
    expect(passed).toEqual([1, 2]);
    await nextTurn();
    expect(passed).toEqual([1, 2, 3, 4]);
    await nextTurn();
    expect(passed).toEqual([1, 2, 3, 4, 5]);
  });

  it('begins anew in each turn', async () => {
    const limit = new TurnLimiter(1);
    const passed: string[] = [];
    await limit.pass();
    await nextTurn();
    await nextTurn();
    void limit.pass().then(() => passed.push('later'));
    await Promise.resolve();
    expect(passed).toEqual(['later']);
  });

  it('counts who waited: nobody overtakes them', async () => {
    const limit = new TurnLimiter(1);
    const passed: string[] = [];
    await limit.pass();
    void limit.pass().then(() => passed.push('waited'));
    await nextTurn();
    void limit.pass().then(() => passed.push('came later'));
    await Promise.resolve();
    expect(passed).toEqual(['waited']);
    await nextTurn();
    expect(passed).toEqual(['waited', 'came later']);
  });
});
