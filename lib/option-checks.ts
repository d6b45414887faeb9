import { InvalidOptionsError } from './etcd-trigger.errors.js';

/** The largest delay of a timer, in milliseconds. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** Integers from `min` to `max`; `key` is the key that the error names. */
export interface IntegerBounds {
  readonly min: number;
  readonly max?: number;
  readonly key?: string;
}

/**
 * `undefined` passes: the option was not given. `subject` starts the message, such as `"onDelete" of key "/app/db"`.
 * @throws InvalidOptionsError
 */
export function checkOneOf(subject: string, value: unknown, choices: readonly string[]): void {
  if (value === undefined || choices.includes(value as string)) return;
  throw new InvalidOptionsError(`${subject} must be one of ${choices.map((choice) => `'${choice}'`).join(', ')}`);
}

/** @throws InvalidOptionsError, also for `undefined` */
export function checkInteger(
  subject: string,
  value: unknown,
  { min, max = Number.MAX_SAFE_INTEGER, key }: IntegerBounds,
): void {
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) return;
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  throw new InvalidOptionsError(`${subject} must be an integer ${range}`, key === undefined ? {} : { key });
}

/**
 * `undefined` passes: the option was not given.
 * @throws InvalidOptionsError
 */
export function checkMilliseconds(subject: string, value: unknown, min: number, max = MAX_TIMER_MS): void {
  if (value === undefined) return;
  if (typeof value === 'number' && value >= min && value <= max) return;
  throw new InvalidOptionsError(`${subject} must be a number of milliseconds from ${min} to ${max}`);
}
