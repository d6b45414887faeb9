import { onAbort } from './on-abort.js';

/**
 * Calls `run` with a signal that aborts with the first of the given ones. Nothing remains of it when the promise has
 * settled. `AbortSignal.any` of Node 20 keeps an entry in each signal for as long as that exists.
 */
export async function withAnySignal<T>(
  signals: readonly AbortSignal[],
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const any = new AbortController();
  const stops = signals.map((signal) => {
    const abort = (): void => {
      any.abort(signal.reason);
    };
    if (signal.aborted) abort();
    return onAbort(signal, abort);
  });
  try {
    return await run(any.signal);
  } finally {
    for (const stop of stops) stop();
  }
}
