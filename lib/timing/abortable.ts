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
