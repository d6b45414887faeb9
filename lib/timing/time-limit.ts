/**
 * Resolves with the result of the promise, or with `undefined` after the limit. The promise itself is not cancelled.
 */
export async function within<T>(promise: Promise<T>, limitMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, limitMs, undefined);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** True if the result of a call is a promise, of any implementation. */
export const isThenable = (result: unknown): result is PromiseLike<unknown> =>
  typeof result === 'object' && result !== null && typeof (result as { then?: unknown }).then === 'function';

/** Prevents an unhandled rejection where the result of an application's function is not awaited. */
export function ignoreRejection(result: unknown): void {
  if (isThenable(result)) Promise.resolve(result).catch(() => undefined);
}
