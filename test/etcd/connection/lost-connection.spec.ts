import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { connectionLoss } from '../../../lib/etcd/connection/lost-connection.js';

const LIMIT_MS = 3_000;
const never = (): Promise<never> => new Promise(() => undefined);
const nobody = (): Promise<undefined> => Promise.resolve(undefined);
const somebody = (): Promise<string> => Promise.resolve('another');

function watchOver(lookout: Parameters<typeof connectionLoss<string>>[0]) {
  const abort = new AbortController();
  const lost = vi.fn();
  const over = connectionLoss(lookout, LIMIT_MS, abort.signal).then(lost);
  return { abort, lost, over };
}

describe('a connection', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  it('is lost when it was silent for the limit and another one is answered', async () => {
    const ask = vi.fn(never);
    const { lost } = watchOver({ ask, elsewhere: somebody });

    await vi.advanceTimersByTimeAsync(LIMIT_MS - 100);
    expect(lost).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(200);

    expect(lost).toHaveBeenCalledWith('another');
    expect(ask).toHaveBeenCalledTimes(1);
  });

  it('is not lost while its questions are answered, and its silence begins with the last answer', async () => {
    let answers = 10;
    const ask = (): Promise<boolean> => ((answers -= 1) < 0 ? never() : Promise.resolve(true));
    const { lost } = watchOver({ ask, elsewhere: somebody });

    await vi.advanceTimersByTimeAsync(3 * LIMIT_MS);
    expect(answers).toBeGreaterThan(0);
    expect(lost).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(3 * LIMIT_MS);

    expect(lost).toHaveBeenCalled();
  });

  it('is lost, too, when what is answered is no sign of life', async () => {
    const { lost } = watchOver({ ask: () => Promise.resolve(false), elsewhere: somebody });

    await vi.advanceTimersByTimeAsync(LIMIT_MS + 100);

    expect(lost).toHaveBeenCalled();
  });

  it('is not lost while nobody else is answered either, and so at once when somebody is', async () => {
    const elsewhere = vi.fn<() => Promise<string | undefined>>(nobody);
    const { lost } = watchOver({ ask: never, elsewhere });

    await vi.advanceTimersByTimeAsync(10 * LIMIT_MS);
    expect(lost).not.toHaveBeenCalled();
    elsewhere.mockImplementation(somebody);
    await vi.advanceTimersByTimeAsync(LIMIT_MS / 10);

    expect(lost).toHaveBeenCalled();
  });

  it('is lost as soon as one search has found another connection, also a later one than the first', async () => {
    const searches: ((found: string | undefined) => void)[] = [];
    const elsewhere = (): Promise<string | undefined> =>
      new Promise((resolve) => {
        searches.push(resolve);
      });
    const { lost } = watchOver({ ask: never, elsewhere });
    await vi.advanceTimersByTimeAsync(3 * LIMIT_MS);

    expect(searches.length).toBeGreaterThan(2);
    searches[1]?.('another');
    await vi.advanceTimersByTimeAsync(LIMIT_MS);

    expect(lost).toHaveBeenCalledWith('another');
  });

  it.each([
    ['while another one is asked', (answer: () => void) => answer],
    ['at the moment when another one is', (answer: () => void) => () => setImmediate(answer)],
  ])('is not lost when it is answered %s', async (_, later) => {
    let answer: (isAlive: boolean) => void = () => undefined;
    const ask = vi.fn(() => new Promise<boolean>((resolve) => (answer = resolve)));
    const answerNow = later(() => {
      answer(true);
    });
    const elsewhere = vi.fn(async () => {
      answerNow();
      return somebody();
    });
    const { lost } = watchOver({ ask, elsewhere });

    await vi.advanceTimersByTimeAsync(3 * LIMIT_MS);

    expect(elsewhere).toHaveBeenCalled();
    expect(lost).not.toHaveBeenCalled();
  });

  it('is not watched over after an abort, and no timer is left', async () => {
    const ask = vi.fn(never);
    const { abort, over } = watchOver({ ask, elsewhere: somebody });
    const ended = expect(over).rejects.toThrow('aborted');

    abort.abort();
    await vi.advanceTimersByTimeAsync(0);
    await ended;

    expect(ask).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is not blamed for what this process has missed while it was busy itself', async () => {
    vi.useRealTimers();
    const limitMs = 100;
    const abort = new AbortController();
    let answered = 0;
    // The answer comes while nobody can take it.
    const ask = async (): Promise<boolean> => {
      const answer = readFile(import.meta.filename);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * limitMs);
      await answer;
      answered += 1;
      if (answered === 3) abort.abort();
      return true;
    };

    await expect(connectionLoss({ ask, elsewhere: somebody }, limitMs, abort.signal)).rejects.toThrow('aborted');

    expect(answered).toBe(3);
  });
});
