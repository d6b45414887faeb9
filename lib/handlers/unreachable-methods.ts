import { types } from 'node:util';
import { className } from '../foreign/class-name.js';
import { printable } from '../foreign/foreign-text.js';
import type { ProviderWrapper } from './decorated-method.js';
import { declaredMethodsOf } from './decorators/method-metadata.js';

/** A decorated method that no event would ever reach. */
export interface UnreachableMethod {
  /** `Class.method`. */
  readonly name: string;
  readonly fault: string;
}

/** The parts of the application that are searched. */
export interface SearchedApplication {
  readonly wrappers: readonly ProviderWrapper[];
  /** Returns the prototype of a provider's instance; `undefined` if Nest does not show it. */
  readonly prototypeOf: (wrapper: ProviderWrapper) => object | undefined;
  /** True for a function that carries decorators of this library. */
  readonly isDecorated: (method: object) => boolean;
}

/** Finds the decorated methods that Nest or a class hides from the explorer. */
export function unreachableMethods({ wrappers, prototypeOf, isDecorated }: SearchedApplication): UnreachableMethod[] {
  const prototypes = new Set(wrappers.flatMap((wrapper) => prototypeOf(wrapper) ?? []));
  const isProvided = (type: object): boolean =>
    [...prototypes].some((prototype) => prototype === type || type.isPrototypeOf(prototype));
  const enhancers = new Set(wrappers.flatMap(({ host }) => [...(host?.injectables.values() ?? [])]));
  const hidden = [
    ...wrappers.filter((wrapper) => !prototypeOf(wrapper)).flatMap(hiddenClass),
    ...[...enhancers].map(({ metatype }): HiddenClass => ({ type: metatype, faultOf: usedAsEnhancer })),
  ];
  return [
    ...[...prototypes].flatMap((prototype) => lostMethods(prototype, isDecorated)),
    ...wrappers.flatMap((wrapper) => ownMethods(wrapper, isDecorated)),
    ...hidden.flatMap((each) => methodsOf(each, isProvided)),
  ];
}

/** A class whose instances the explorer cannot see. */
interface HiddenClass {
  readonly type: unknown;
  readonly faultOf: (type: string) => string;
}

/** The function in place of a declared method carries no decorator: it was wrapped or overridden. */
function lostMethods(prototype: object, isDecorated: (method: object) => boolean): UnreachableMethod[] {
  return declaredMethodsOf(prototype).flatMap(({ owner, method, decorator }) => {
    const holder = holderOf(prototype, method);
    const current: unknown = holder && Object.getOwnPropertyDescriptor(holder, method)?.value;
    if (typeof current === 'function' && isDecorated(current)) return [];
    const fault =
      holder === owner
        ? `a decorator above ${decorator} replaces the method and drops its metadata: put that decorator below ${decorator}, or let it copy the metadata`
        : `it overrides a method with ${decorator} of ${className(owner.constructor)}, but has no decorator: decorate it as well, or give it another name`;
    return [{ name: nameOf(holder ?? owner, method), fault }];
  });
}

/** Methods of an object literal, as a `useValue` may have them. */
function ownMethods(
  { instance, name }: ProviderWrapper,
  isDecorated: (method: object) => boolean,
): UnreachableMethod[] {
  const value: unknown = instance;
  if (typeof value !== 'object' || value === null || types.isProxy(value) || !isLiteral(value)) return [];
  return Object.getOwnPropertyNames(value)
    .filter((method) => {
      const own: unknown = Object.getOwnPropertyDescriptor(value, method)?.value;
      return typeof own === 'function' && isDecorated(own);
    })
    .map((method) => ({
      name: `${printable(String(name))}.${printable(method)}`,
      fault: 'its object is not an instance of a class: provide an instance of the class that declares the method',
    }));
}

const isLiteral = (value: object): boolean =>
  [Object.prototype, null].includes(Object.getPrototypeOf(value) as object | null);

/** Only a value or a token names the class. */
function hiddenClass({ instance, token, inject }: ProviderWrapper): HiddenClass[] {
  if (typeof instance === 'function') return [{ type: instance, faultOf: providedAsClass }];
  return inject ? [{ type: token, faultOf: createdByFactory }] : [];
}

const usedAsEnhancer = (type: string): string =>
  `${type} is only used as an enhancer: add it to the providers of a module`;
const providedAsClass = (type: string): string => `its provider is the class ${type} itself: provide an instance of it`;
const createdByFactory = (type: string): string =>
  `a useFactory with the scope REQUEST or TRANSIENT creates ${type}, so that it cannot be found: provide the class, or make the factory a singleton`;

function methodsOf({ type, faultOf }: HiddenClass, isProvided: (type: object) => boolean): UnreachableMethod[] {
  if (typeof type !== 'function' || types.isProxy(type)) return [];
  const prototype: unknown = type.prototype;
  if (typeof prototype !== 'object' || prototype === null || isProvided(prototype)) return [];
  const names = new Set(declaredMethodsOf(prototype).map(({ method }) => method));
  return [...names].map((method) => ({ name: nameOf(prototype, method), fault: faultOf(className(type)) }));
}

function holderOf(prototype: object | null, method: string): object | undefined {
  if (prototype === null) return undefined;
  return Object.hasOwn(prototype, method)
    ? prototype
    : holderOf(Object.getPrototypeOf(prototype) as object | null, method);
}

const nameOf = (prototype: object, method: string): string =>
  `${className(prototype.constructor)}.${printable(method)}`;
