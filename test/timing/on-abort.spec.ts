import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { onAbort } from '../../lib/timing/on-abort.js';

/** Counts the listeners that a signal really has. */
class CountedSignal {
  readonly #controller = new AbortController();
  readonly signal = this.#controller.signal;
  readonly abort = (): void => {
    this.#controller.abort();
  };

  get listeners(): number {
    return getEventListeners(this.signal, 'abort').length;
  }
}

describe('onAbort', () => {
  it('adds one listener to a signal, however many callbacks it has', () => {
    const counted = new CountedSignal();
    const { signal } = counted;
    let calls = 0;
    const callback = (): void => {
      calls += 1;
    };
    for (let count = 0; count < 100; count += 1) onAbort(signal, callback);

    expect(counted.listeners).toBe(1);
    counted.abort();
    counted.abort();

    expect(calls).toBe(100);
  });

  it('removes its listener with the last callback', () => {
    const counted = new CountedSignal();
    const { signal } = counted;
    let calls = 0;
    const removals = [1, 2, 3].map(() =>
      onAbort(signal, () => {
        calls += 1;
      }),
    );
    for (const remove of removals) remove();

    expect(counted.listeners).toBe(0);
    onAbort(signal, () => {
      calls += 10;
    });
    counted.abort();

    expect(calls).toBe(10);
  });

  it('does nothing without a signal', () => {
    expect(() => {
      onAbort(undefined, () => undefined)();
    }).not.toThrow();
  });
});
