import type { InspectOptionsStylized } from 'node:util';
import { printable } from './foreign/foreign-text.js';

type Inspect = (value: unknown, options?: InspectOptionsStylized) => string;

/** The members of an error of this library that inspection shows. */
export interface InspectedError extends Error {
  readonly code: string;
  /** Only a `BootError` has them. The message contains them. */
  readonly problems?: readonly unknown[];
}

/**
 * Prints an error for a person: name, code and message, then the stack, the details that are set, and one cause. A
 * `BootError` has no stack, because all of its frames belong to Nest and this library.
 */
export function inspectError(error: InspectedError, options: InspectOptionsStylized, inspect: Inspect): string {
  const { name, code, message, problems } = error;
  const details = Object.entries(error).flatMap(([property, value]) =>
    isShown(property, value) ? [`${property}: ${inspect(value, options)}`] : [],
  );
  const cause = causeOf(error);
  return [
    `${name} [${code}]: ${message}`,
    ...(problems ? [] : framesOf(error)),
    ...(details.length > 0 ? [`    ${details.join(', ')}`] : []),
    ...(cause === undefined ? [] : [`    cause: ${describeCause(cause, options, inspect)}`]),
  ].join('\n');
}

/** The message contains the problems and violations. */
const isShown = (property: string, value: unknown): boolean =>
  !['name', 'code'].includes(property) && ['string', 'number', 'boolean'].includes(typeof value);

/** Returns the first cause that the message does not contain already. */
function causeOf({ message, cause }: Error): unknown {
  let found: unknown = cause;
  for (let depth = 0; depth < MAX_DEPTH && found instanceof Error && message.includes(found.message); depth += 1) {
    found = found.cause;
  }
  return found;
}

/** An error with a code, such as `ECONNREFUSED`, is a known condition; the stack of any other error locates a bug. */
function describeCause(cause: unknown, options: InspectOptionsStylized, inspect: Inspect): string {
  if (!(cause instanceof Error)) return inspect(cause, { ...options, depth: 0 });
  const { name, message, stack } = cause;
  const { code } = cause as { readonly code?: unknown };
  const isKnown = typeof code === 'string' || typeof code === 'number';
  return isKnown ? `${name} [${code}]: ${printable(message)}` : (stack ?? `${name}: ${printable(message)}`);
}

function framesOf({ stack = '', message }: Error): string[] {
  const start = stack.indexOf(message) + message.length;
  return stack
    .slice(start)
    .split('\n')
    .filter((line) => line !== '');
}

const MAX_DEPTH = 10;
