import { types } from 'node:util';
import { className } from './class-name.js';
import { printable } from './foreign-text.js';

/** Like `instanceof`, but false where the prototype of the value cannot be read, as that of a revoked Proxy. */
export function isA<T>(value: unknown, type: abstract new (...args: never[]) => T): value is T {
  try {
    return value instanceof type;
  } catch {
    return false;
  }
}

/**
 * Describes what application code threw by its class and the place that threw it. The message is left out, because it
 * may quote a value. Never throws, whatever the value is.
 */
export function describeThrown(thrown: unknown): string {
  if (!isError(thrown)) return `${kindOf(thrown)}, not an Error`;
  const place = attempt(() => placeOf(thrown));
  const name = attempt(() => className(thrown.constructor)) ?? 'an error';
  return place ? `${name} ${place}` : name;
}

/** Name of the class of an error, or the type of any other value. Never throws. */
export const errorClass = (thrown: unknown): string =>
  isError(thrown) ? (attempt(() => className(thrown.constructor)) ?? 'Error') : typeof thrown;

/** The property `code` of an error. Never throws. */
export const errorCode = (thrown: unknown): unknown => attempt(() => (thrown as { readonly code?: unknown }).code);

/** The message of an error of Node, a library or a server, on one line and cut; `''` if there is none. Never throws. */
export function messageOf(thrown: unknown): string {
  const message: unknown = attempt(() => (isError(thrown) ? thrown.message : thrown));
  return typeof message === 'string' ? printable(message) : '';
}

/** Also true for errors of other realms. */
const isError = (value: unknown): value is Error => types.isNativeError(value) || isA(value, Error);

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

const HEAD = /^[\w$.]*(?: \[\w+\])?$/;
const FRAME = /^ {4}at (?:.+ \()?.+:\d+:\d+\)?$/;

/**
 * Returns the first line of a stack that names a place. The lines of the message are skipped: any of them may look like
 * one. A stack that does not begin with the message is not trusted, as the message may have been replaced.
 */
function placeOf({ message, stack }: { readonly message: unknown; readonly stack?: unknown }): string | undefined {
  if (typeof stack !== 'string' || typeof message !== 'string') return undefined;
  const at = stack.indexOf(`${message}\n`);
  const head = message === '' ? stack.slice(0, at) : stack.slice(0, at).replace(/: $/, '');
  if (at < 0 || !HEAD.test(head)) return undefined;
  const frames = stack.slice(at + message.length + 1).split('\n');
  const frame = frames.find((line) => FRAME.test(line));
  return frame && printable(frame.trim());
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
