import { describe, expect, it } from 'vitest';
import { Semaphore } from '../../lib/timing/semaphore.js';

const { signal } = new AbortController();
const turn = (): Promise<void> => new Promise(setImmediate);

describe('Semaphore', () => {
  it('admits no more holders than its limit, in order', async () => {
    const semaphore = new Semaphore(() => 2);
    const order: number[] = [];
    const releases: (() => void)[] = [];
    for (let index = 0; index < 5; index += 1) {
      void semaphore.acquire(signal).then((release) => {
        order.push(index);
        releases.push(release);
      });
    }
    await turn();
    expect(order).toEqual([0, 1]);

    releases[1]?.();
    await turn();
    expect(order).toEqual([0, 1, 2]);

    releases[0]?.();
    releases[2]?.();
    await turn();
    expect(order).toEqual([0, 1, 2, 3, 4]);
  });

  it('ignores a second release', async () => {
    const semaphore = new Semaphore(() => 1);
    const release = await semaphore.acquire(signal);
    release();
    release();
    await semaphore.acquire(signal);
    let isAdmitted = false;
    void semaphore.acquire(signal).then(() => (isAdmitted = true));
    await turn();

    expect(isAdmitted).toBe(false);
  });

  it('admits waiting callers after the limit has grown', async () => {
    let limit = 1;
    const semaphore = new Semaphore(() => limit);
    const order: number[] = [];
    for (let index = 0; index < 3; index += 1) void semaphore.acquire(signal).then(() => order.push(index));
    await turn();
    limit = 3;
    semaphore.admit();
    await turn();

    expect(order).toEqual([0, 1, 2]);
  });

  it('gives the place back when the function succeeds or fails', async () => {
    const semaphore = new Semaphore(() => 1);

    await expect(semaphore.run(signal, () => Promise.reject(new Error('failure')))).rejects.toThrow('failure');
    await expect(semaphore.run(signal, () => Promise.resolve('done'))).resolves.toBe('done');
    await expect(semaphore.run(signal, () => Promise.resolve('again'))).resolves.toBe('again');
  });

  it('rejects a caller that was aborted, before or while it waits, and keeps no place for it', async () => {
    const semaphore = new Semaphore(() => 1);
    const reason = new Error('aborted');
    await expect(semaphore.acquire(AbortSignal.abort(reason))).rejects.toBe(reason);

    const release = await semaphore.acquire(signal);
    const controller = new AbortController();
    const aborted = semaphore.acquire(controller.signal);
    const next = semaphore.acquire(signal);
    controller.abort(reason);
    release();

    await expect(aborted).rejects.toBe(reason);
    await expect(next).resolves.toBeTypeOf('function');
  });
});
