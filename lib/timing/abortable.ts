import { onAbort } from './on-abort.js';

/** Settles as the promise, or rejects with the reason of an abort. The promise itself is not cancelled. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const abort = (): void => {
      reject(signal.reason as Error);
    };
    promise.then(resolve, reject).finally(onAbort(signal, abort));
  });
}

/**
 * Resolves when the promise has settled or the signal has aborted. Nothing of it remains in the signal, whereas each
 * `Promise.race` leaves something in a promise that is pending for a long time.
 */
export async function settledOrAborted(promise: Promise<unknown> | undefined, signal: AbortSignal): Promise<void> {
  await abortable(Promise.resolve(promise), signal).catch(() => undefined);
}
