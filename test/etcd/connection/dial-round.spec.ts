import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { dialRound, type RoundResult } from '../../../lib/etcd/connection/dial-round.js';
import type { Member } from '../../../lib/etcd/connection/member.js';
import { fakeMember, recordedDial } from './fake-member.js';

const [a, b, c] = [fakeMember('a'), fakeMember('b'), fakeMember('c')];

function round(members: readonly Member[], controller = new AbortController()) {
  const { dial, attempts } = recordedDial();
  const results: RoundResult[] = [];
  void dialRound(members, dial, controller.signal).then((result) => results.push(result));
  const advance = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
  return { attempts, results, advance, controller, tried: () => attempts.map(({ member }) => member.hostName) };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe('dialRound', () => {
  it('gives each member a head start of 250 ms', async () => {
    const { attempts, tried, advance, results } = round([a, b, c]);
    await advance(249);
    expect(tried()).toEqual(['a']);
    await advance(1);
    expect(tried()).toEqual(['a', 'b']);
    await advance(250);
    expect(tried()).toEqual(['a', 'b', 'c']);
    await advance(60_000);
    expect(results).toEqual([]);

    for (const { fail } of attempts) fail();
    await advance(0);
    expect(results).toHaveLength(1);
  });

  it('tries the next member immediately after a failure, and gives it a head start of its own', async () => {
    const { attempts, tried, advance } = round([a, b, c]);
    await advance(200);
    attempts[0]?.fail();
    await advance(0);
    expect(tried()).toEqual(['a', 'b']);
    await advance(249);
    expect(tried()).toEqual(['a', 'b']);
    await advance(1);
    expect(tried()).toEqual(['a', 'b', 'c']);
    attempts[2]?.succeed();
    await advance(0);
  });

  it('resolves to the first session that is ready, and aborts the other attempts', async () => {
    const { attempts, tried, advance, results } = round([a, b, c]);
    await advance(250);
    const session = attempts[1]?.succeed();
    await advance(0);

    expect(results).toEqual([{ session: session?.typed }]);
    expect(session?.isUsable).toBe(true);
    expect(attempts[0]?.signal.aborted).toBe(true);
    await advance(1_000);
    expect(tried()).toEqual(['a', 'b']);
  });

  it('closes a session that becomes ready at the same time as the first one', async () => {
    const { attempts, advance, results } = round([a, b]);
    await advance(250);
    const first = attempts[0]?.succeed();
    const second = attempts[1]?.succeed();
    await advance(0);

    expect(results).toEqual([{ session: first?.typed }]);
    expect(second?.state).toBe('closed');
  });

  it('resolves to all failures when each member has failed', async () => {
    const { attempts, advance, results } = round([a, b]);
    const errors = [new Error('first'), new Error('second')];
    attempts[0]?.fail(errors[0]);
    await advance(0);
    expect(results).toEqual([]);
    attempts[1]?.fail(errors[1]);
    await advance(0);

    expect(results).toEqual([{ failures: errors }]);
  });

  it('ends without a failure when it is aborted, and tries no further member', async () => {
    const { attempts, advance, results, controller, tried } = round([a, b, c]);
    await advance(100);
    controller.abort();
    await advance(1_000);

    expect(results).toEqual([{ failures: [] }]);
    expect(attempts[0]?.signal.aborted).toBe(true);
    expect(tried()).toEqual(['a']);
  });

  it('tries nobody without members, and nobody when it was aborted before', async () => {
    const aborted = new AbortController();
    aborted.abort();
    const rounds = [round([]), round([a], aborted)];
    await vi.advanceTimersByTimeAsync(0);

    expect(rounds.map(({ results }) => results)).toEqual([[{ failures: [] }], [{ failures: [] }]]);
    expect(rounds.map(({ tried }) => tried())).toEqual([[], []]);
  });
});
