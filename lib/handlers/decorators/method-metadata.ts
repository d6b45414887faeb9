import { className } from '../../foreign/class-name.js';
import { printable } from '../../foreign/foreign-text.js';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';

/** A decorated method as its class declares it. The function in its place may have changed since. */
export interface DeclaredMethod {
  readonly owner: object;
  readonly method: string;
  /** For messages, such as `@WatchKey`. */
  readonly decorator: string;
}

/** The same symbol in every copy of this package. */
const DECLARED_METHODS = Symbol.for('nestjs-etcd-trigger:declared-methods');

/**
 * Adds an entry to the metadata array of a method, in the order in which the decorators appear in the source.
 * @throws InvalidOptionsError for anything but an instance method of a class with a name of text
 */
export function appendMetadata(
  key: symbol,
  decorator: string,
  owner: object,
  name: string | symbol,
  descriptor: PropertyDescriptor | undefined,
  entry: object,
): void {
  const isStatic = typeof owner === 'function';
  const where = `${className(isStatic ? owner : owner.constructor)}.${printable(String(name))}`;
  const method: unknown = descriptor?.value;
  if (isStatic || typeof method !== 'function' || !isPrototype(owner)) {
    throw new InvalidOptionsError(
      `${decorator} on ${where} can never run: decorate an instance method of a provider or controller`,
    );
  }
  if (typeof name === 'symbol') {
    throw new InvalidOptionsError(
      `${decorator} on ${where} can never run: Nest does not find methods whose names are symbols, so use a string`,
    );
  }
  Reflect.defineMetadata(key, [entry, ...metadataOf(key, method)], method);
  Reflect.defineMetadata(DECLARED_METHODS, [...ownMethodsOf(owner), { owner, method: name, decorator }], owner);
}

export const metadataOf = (key: symbol, method: object): readonly object[] =>
  (Reflect.getOwnMetadata(key, method) as readonly object[] | undefined) ?? [];

/** Returns the methods that the class of a prototype and its ancestors declare with decorators of this library. */
export function declaredMethodsOf(prototype: object): readonly DeclaredMethod[] {
  const parent: unknown = Object.getPrototypeOf(prototype);
  return [...ownMethodsOf(prototype), ...(typeof parent === 'object' && parent ? declaredMethodsOf(parent) : [])];
}

const ownMethodsOf = (prototype: object): readonly DeclaredMethod[] =>
  (Reflect.getOwnMetadata(DECLARED_METHODS, prototype) as readonly DeclaredMethod[] | undefined) ?? [];

const isPrototype = (owner: object): boolean =>
  typeof owner.constructor === 'function' && owner.constructor.prototype === owner;
