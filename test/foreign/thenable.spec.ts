import { describe, expect, it } from 'vitest';
import { adopted, ignoreRejection, isThenable } from '../../lib/foreign/thenable.js';

type Then = PromiseLike<unknown>['then'];
const thenable = (then: unknown): PromiseLike<unknown> => ({ then: then as Then });

describe('a thenable', () => {
  it('is adopted as a native promise that settles once', async () => {
    const twice = thenable((done: (value: unknown) => void, fail: (error: unknown) => void) => {
      done(1);
      done(2);
      fail(new Error('late'));
      throw new Error('later');
    });

    await expect(adopted(twice)).resolves.toBe(1);
  });

  it('rejects if its then throws', async () => {
    const throwing = thenable(() => {
      throw new TypeError('broken');
    });

    await expect(adopted(throwing)).rejects.toThrow(TypeError);
  });

  it('rejects if it is a native promise whose then was replaced', async () => {
    const broken = Object.assign(Promise.resolve(), {
      then: () => {
        throw new TypeError('broken');
      },
    });

    await expect(adopted(broken)).rejects.toThrow(TypeError);
  });

  it('is returned unchanged if it is a native promise', () => {
    const promise = Promise.resolve();

    expect(adopted(promise)).toBe(promise);
  });

  it('is recognized by its method', () => {
    expect(isThenable(thenable(() => undefined))).toBe(true);
    expect(isThenable({ then: 1 })).toBe(false);
    expect(isThenable(null)).toBe(false);
  });

  it('may be ignored, whatever it does', async () => {
    ignoreRejection(Promise.reject(new Error('ignored')));
    ignoreRejection(
      thenable(() => {
        throw new Error('ignored');
      }),
    );
    // An unhandled rejection would fail the test run.
    await new Promise((resolve) => setImmediate(resolve));
  });
});
