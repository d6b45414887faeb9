import { inspect, type InspectOptionsStylized } from 'node:util';
import { className } from '../../foreign/class-name.js';
import type { JsonObject } from '../json-object.js';
import { isSecretName } from './secret-names.js';

/** Replaces every secret in JSON and in the output of `util.inspect`. */
export const MASK = '***';

/**
 * Masks the secrets of an object, or of the instances of a prototype, in `JSON.stringify` and `util.inspect`. Its
 * properties, and copies of it, keep the secrets. Does nothing for an object that is not extensible.
 */
export function maskOutput(target: object): void {
  if (!Object.isExtensible(target)) return;
  for (const [name, value] of OUTPUTS) {
    Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });
  }
}

/**
 * Returns the `toJSON` method that an object has apart from the one that masks, which must never decide about the
 * document that is written.
 */
export function jsonMethodOf(object: object): (() => unknown) | undefined {
  for (let owner: object | null = object; owner; owner = Object.getPrototypeOf(owner) as object | null) {
    const method: unknown = Reflect.get(owner, 'toJSON', object);
    if (!isMasking(method)) return typeof method === 'function' ? (method as () => unknown) : undefined;
  }
  return undefined;
}

/** True for the method that `maskOutput` defines, in any copy of this package. */
export const isMasking = (method: unknown): boolean => typeof method === 'function' && MASKING in method;

const MASKING = Symbol.for('nestjs-etcd-trigger:masking');

/** Returns the enumerable properties, in which `***` replaces the secrets; `***` for a list, a `Map`, a date or similar. */
export function masked(object: object): JsonObject | typeof MASK {
  if (isOpaque(object)) return MASK;
  const shown: JsonObject = {};
  for (const [name, value] of Object.entries(object) as [string, unknown][]) {
    const isShown = value === undefined || value === null || !isSecretName(object, name);
    shown[name] = isShown ? value : MASK;
  }
  return shown;
}

/** Only whole secrets of these kinds are masked, and their parts have no names. */
const isOpaque = (object: object): boolean =>
  Array.isArray(object) || object instanceof Map || object instanceof Set || object instanceof Date;

function toMaskedJson(this: object): unknown {
  return masked(this);
}

function inspectMasked(this: object, depth: number | null, options: InspectOptionsStylized): string {
  const name = className(this.constructor);
  if (depth !== null && depth < 0) return options.stylize(`[${name}]`, 'special');
  const text = inspect(masked(this), { ...options, depth });
  return this.constructor === Object || isOpaque(this) ? text : `${name} ${text}`;
}

const OUTPUTS: readonly (readonly [string | symbol, unknown])[] = [
  ['toJSON', Object.assign(toMaskedJson, { [MASKING]: true })],
  [inspect.custom, inspectMasked],
];
