import { ConnectionError } from '../../etcd-trigger.errors.js';
import { errorClass, errorCode } from '../../foreign/foreign-error.js';
import { within } from '../../timing/time-limit.js';

/** Shorter than the default limit of a request, so that requests report the function that does not settle. */
const LIMIT_MS = 4_000;

/**
 * Resolves to an option that the application gave as a value or as a function.
 * @throws ConnectionError when the function fails or does not settle. The error that it threw may hold a secret: it is
 * described by its code or its class, and is no `cause`.
 */
export async function resultOf<T>(option: 'credentials' | 'auth', given: T | (() => T | Promise<T>)): Promise<T> {
  if (typeof given !== 'function') return given;
  const settled = await within(outcomeOf(given as () => T | Promise<T>), LIMIT_MS);
  if (!settled) throw new ConnectionError(`the function client.${option} did not settle within ${LIMIT_MS} ms`);
  if ('failure' in settled) throw new ConnectionError(`the function client.${option} failed (${settled.failure})`);
  return settled.result;
}

async function outcomeOf<T>(
  call: () => T | Promise<T>,
): Promise<{ readonly result: T } | { readonly failure: string }> {
  try {
    return { result: await call() };
  } catch (thrown) {
    return { failure: describe(thrown) };
  }
}

function describe(thrown: unknown): string {
  const code = errorCode(thrown);
  return typeof code === 'string' && /^[A-Z0-9_]{1,40}$/.test(code) ? code : errorClass(thrown);
}
