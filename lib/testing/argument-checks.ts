import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import { checkKnown, described } from '../option-checks.js';

/**
 * `method` starts the message, such as `put()`, and `advice` follows it, such as `pass the key as a string`.
 * @throws InvalidOptionsError if the argument is not valid
 */
export function checkArgument(method: string, isValid: boolean, advice: string): void {
  if (!isValid) throw new InvalidOptionsError(`${method}: ${advice}`);
}

/** @throws InvalidOptionsError */
export function checkKey(method: string, key: unknown): void {
  checkArgument(method, typeof key === 'string' || Buffer.isBuffer(key), 'pass the key as a string or a Buffer');
}

/** @throws InvalidOptionsError */
export function checkPrefix(method: string, prefix: unknown): void {
  checkArgument(method, typeof prefix === 'string', 'pass the prefix as a string');
}

/** @throws InvalidOptionsError for anything else than an object with keys and values */
export function checkKeyValues(method: string, values: unknown): void {
  const isRecord = isObject(values) && !Array.isArray(values) && !(values instanceof Map);
  checkArgument(method, isRecord, 'pass an object of keys and values, such as { "/app/key": "value" }');
}

/** @throws InvalidOptionsError for anything else than an object with the known names */
export function checkOptions(method: string, options: unknown, known: Readonly<Record<string, true>>): void {
  checkArgument(method, isObject(options) && !Array.isArray(options), 'pass the options as an object');
  checkKnown(options as object, known, { owner: ` of ${method}` });
}

/** `kind` ends the message, such as `a function`. @throws InvalidOptionsError if the option is not valid */
export function checkOption(method: string, name: string, isValid: boolean, kind: string): void {
  if (!isValid) throw new InvalidOptionsError(`"${name}" of ${method} must be ${kind}`);
}

/** A wrong argument, for messages: a number as it is, anything else as `described` shows it. */
export const shown = (value: unknown): string => (typeof value === 'number' ? String(value) : described(value));

export const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
