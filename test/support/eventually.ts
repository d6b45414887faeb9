import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 10;

/** A check that may return `undefined` instead of a boolean would pass at once: compare with `=== true`. */
type Check<T> = (() => T | Promise<T>) & (MayBeUndefined<T> extends true ? never : unknown);
type MayBeUndefined<T> = unknown extends T ? false : boolean | undefined extends T ? true : false;

/**
 * Repeats the check until it neither throws nor returns false, and returns its result. Rethrows the last error after
 * the timeout.
 */
export async function eventually<T>(check: Check<T>, { withinMs = 45_000 } = {}): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    let failure: unknown;
    try {
      const result = await check();
      if (result !== false) return result;
      failure = new Error(`the condition did not become true within ${withinMs} ms: ${check.toString()}`);
    } catch (error) {
      failure = error;
    }
    if (performance.now() >= deadline) throw failure;
    await sleep(POLL_MS);
  }
}
