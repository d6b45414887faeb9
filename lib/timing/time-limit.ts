/** What the promise resolves with, or `undefined` after the limit; whatever it does later is not waited for. */
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

/** Whether a call goes on after it returned. */
export const isThenable = (result: unknown): result is PromiseLike<unknown> =>
  typeof result === 'object' && result !== null && typeof (result as { then?: unknown }).then === 'function';

/** Prevents an unhandled rejection where the result of an application's function is not awaited. */
export function ignoreRejection(result: unknown): void {
  if (isThenable(result)) Promise.resolve(result).catch(() => undefined);
}
