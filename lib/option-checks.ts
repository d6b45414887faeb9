import { InvalidOptionsError } from './etcd-trigger.errors.js';
import { quoted } from './foreign/foreign-text.js';

/** The largest delay of a timer, in milliseconds. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** A wrong value of an option, for messages: a string is quoted and cut, anything else named by its type. */
export const described = (value: unknown): string =>
  typeof value === 'string' ? quoted(value) : value === null ? 'null' : typeof value;

/** Integers from `min` to `max`; `key` is the key that the error names. */
export interface IntegerBounds {
  readonly min: number;
  readonly max?: number;
  readonly key?: string;
}

/** An option whose properties may be left out or `undefined`, also with `exactOptionalPropertyTypes`. */
export type OptionalProperties<T> = { readonly [Name in keyof T]?: T[Name] | undefined };

/** Every name of an options interface; the compiler refuses a table that lacks one. */
export type OptionNames<Options> = Readonly<Record<keyof Options & string, true>>;

/** In the message of `checkKnown`, `path` precedes the name, such as `boot.`. */
interface KnownOptions {
  readonly path?: string;
  /** Follows the name, such as ` of key "/app/db"`. */
  readonly owner?: string;
  /** Paths of options of other objects, such as `client.hosts`, for a name that is known there. */
  readonly elsewhere?: readonly string[];
}

/**
 * `undefined` values pass.
 * @throws InvalidOptionsError naming the first unknown option, and the known one that it resembles
 */
export function checkKnown(
  given: object,
  known: Readonly<Record<string, true>>,
  { path = '', owner = '', elsewhere = [] }: KnownOptions = {},
): void {
  const isUnknown = (name: string): boolean =>
    !Object.hasOwn(known, name) && (given as Readonly<Record<string, unknown>>)[name] !== undefined;
  const name = Object.keys(given).find(isUnknown);
  if (name === undefined) return;
  const names = Object.keys(known);
  const nearest = nearestName(name, names);
  const [moved, ...others] = elsewhere.filter((each) => each.endsWith(`.${name}`));
  const meant = moved !== undefined && others.length === 0 ? moved : nearest && path + nearest;
  const hint =
    meant === undefined ? `the options are ${names.map((each) => path + each).join(', ')}` : `did you mean "${meant}"?`;
  throw new InvalidOptionsError(`${quoted(path + name)}${owner} is not an option: ${hint}`);
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
export function checkBoolean(option: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new InvalidOptionsError(`"${option}" must be true or false`);
}

/**
 * `subject` starts the message, such as `the prefix of a listener`.
 * @throws InvalidOptionsError, also for `undefined`
 */
export function checkText(subject: string, value: unknown): asserts value is string {
  if (typeof value !== 'string') throw new InvalidOptionsError(`${subject} must be a string, not ${described(value)}`);
}

/**
 * `subject` starts the message, such as `the listener of "/app/"`.
 * @throws InvalidOptionsError, also for `undefined`
 */
export function checkFunction(subject: string, value: unknown): void {
  if (typeof value !== 'function') throw new InvalidOptionsError(`${subject} must be a function`);
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

/** Returns the name that a misspelled one probably means; `undefined` if none is close. */
function nearestName(given: string, names: readonly string[]): string | undefined {
  const limit = Math.max(1, Math.floor(given.length / 3));
  const [nearest] = names
    .map((name) => ({ name, distance: editDistance(given.toLowerCase(), name.toLowerCase()) }))
    .filter(({ distance }) => distance <= limit)
    .sort((a, b) => a.distance - b.distance);
  return nearest?.name;
}

/** Levenshtein distance. Option names are short, so a dependency is not worth its weight. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [row, letter] of Array.from(a).entries()) {
    const current = [row + 1];
    for (const [column, other] of Array.from(b).entries()) {
      const replaced = (previous[column] ?? 0) + (letter === other ? 0 : 1);
      current.push(Math.min(replaced, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
