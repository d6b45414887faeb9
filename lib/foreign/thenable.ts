import { types } from 'node:util';

/** True if the result of a call is a promise, of any implementation. Throws what a getter `then` throws, as `await`. */
export const isThenable = (result: unknown): result is PromiseLike<unknown> =>
  typeof result === 'object' && result !== null && typeof (result as { then?: unknown }).then === 'function';

/**
 * Returns a native promise that settles once, as the thenable does, even if its `then` throws or calls back twice. It
 * never settles if the thenable does not. A native promise is returned unchanged.
 */
export function adopted(thenable: PromiseLike<unknown>): Promise<unknown> {
  if (isPlainPromise(thenable)) return thenable;
  return new Promise((resolve) => {
    resolve(thenable);
  });
}

/** Prevents an unhandled rejection where the result of an application's function is not awaited. */
export function ignoreRejection(result: unknown): void {
  if (isThenable(result)) adopted(result).catch(() => undefined);
}

/** `then`, and the constructor that `then` reads, may be replaced in a single promise. */
const isPlainPromise = (thenable: PromiseLike<unknown>): thenable is Promise<unknown> =>
  types.isPromise(thenable) &&
  Object.getPrototypeOf(thenable) === Promise.prototype &&
  !Object.hasOwn(thenable, 'then') &&
  !Object.hasOwn(thenable, 'constructor');
