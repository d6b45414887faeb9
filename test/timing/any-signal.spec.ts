import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { withAnySignal } from '../../lib/timing/any-signal.js';
import { pause } from '../../lib/timing/backoff.js';

const listenersOf = (controllers: readonly AbortController[]): number[] =>
  controllers.map(({ signal }) => getEventListeners(signal, 'abort').length);

describe('withAnySignal', () => {
  it.each([0, 1])('aborts with the reason of the first signal that aborts: %i', async (index) => {
    const controllers = [new AbortController(), new AbortController()];
    const reason = new Error('enough');
    const seen = withAnySignal(
      controllers.map(({ signal }) => signal),
      async (any) => {
        await pause(60_000, any);
        return any.reason as unknown;
      },
    );
    controllers[index]?.abort(reason);
    controllers[1 - index]?.abort(new Error('later'));

    expect(await seen).toBe(reason);
  });

  it('has aborted from the beginning if one of the signals has', async () => {
    const reason = new Error('before');
    const seen = withAnySignal([new AbortController().signal, AbortSignal.abort(reason)], (any) =>
      Promise.resolve(any.reason as unknown),
    );

    expect(await seen).toBe(reason);
  });

  it('leaves no listener behind, whether the promise resolves, rejects, or the signal aborts', async () => {
    const controllers = [new AbortController(), new AbortController()];
    const signals = controllers.map(({ signal }) => signal);
    await withAnySignal(signals, () => Promise.resolve());
    await withAnySignal(signals, () => Promise.reject(new Error('no'))).catch(() => undefined);
    expect(listenersOf(controllers)).toEqual([0, 0]);

    const ended = withAnySignal(signals, (any) => pause(60_000, any));
    expect(listenersOf(controllers)).toEqual([1, 1]);
    controllers[0]?.abort();
    await ended;
    expect(listenersOf(controllers)).toEqual([0, 0]);
  });
});
