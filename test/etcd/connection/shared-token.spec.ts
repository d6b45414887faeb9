import { describe, expect, it, vi } from 'vitest';
import { SharedToken } from '../../../lib/etcd/connection/shared-token.js';

interface Waiting {
  readonly resolve: (token: string | undefined) => void;
  readonly reject: (error: Error) => void;
}

/** A cluster that is waited for, and answers by hand. */
function cluster() {
  const waiting: Waiting[] = [];
  const authenticate = vi.fn(
    () =>
      new Promise<string | undefined>((resolve, reject) => {
        waiting.push({ resolve, reject });
      }),
  );
  return {
    authenticate,
    answer: (token: string | undefined) => waiting.shift()?.resolve(token),
    fail: () => waiting.shift()?.reject(new Error('no answer')),
  };
}

describe('a shared token', () => {
  it('is asked for once, however many calls need it', async () => {
    const { authenticate, answer } = cluster();
    const token = new SharedToken(authenticate);
    const calls = [token.get(), token.get()];

    answer('first');

    expect(await Promise.all(calls)).toEqual(['first', 'first']);
    expect(await token.get()).toBe('first');
    expect(authenticate).toHaveBeenCalledTimes(1);
  });

  it('is asked for again when it is refused, once for all calls that went with it', async () => {
    const { authenticate, answer } = cluster();
    const token = new SharedToken(authenticate);
    const first = token.get();
    answer('first');
    await first;

    token.refused('first');
    const second = token.get();
    token.refused('first');
    answer('second');
    await second;
    token.refused('first');

    expect(await token.get()).toBe('second');
    expect(authenticate).toHaveBeenCalledTimes(2);
  });

  it('is asked for by one request at a time when authentication is turned on under calls that go without', async () => {
    const { authenticate, answer } = cluster();
    const token = new SharedToken(authenticate);
    const none = token.get();
    answer(undefined);
    expect(await none).toBeUndefined();

    token.refused(undefined);
    const calls = [token.get()];
    token.refused(undefined);
    calls.push(token.get());
    answer('first');

    expect(await Promise.all(calls)).toEqual(['first', 'first']);
    expect(authenticate).toHaveBeenCalledTimes(2);
  });

  it('is asked for again after a failure', async () => {
    const { authenticate, answer, fail } = cluster();
    const token = new SharedToken(authenticate);
    const first = token.get();
    fail();
    await expect(first).rejects.toThrow('no answer');

    const second = token.get();
    answer('second');

    expect(await second).toBe('second');
  });
});
