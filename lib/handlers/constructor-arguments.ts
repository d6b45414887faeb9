import { className } from '../foreign/class-name.js';
import type { DecoratedMethod } from './decorated-method.js';
import { INJECTED_PARAMETERS, metadataList } from './nest-metadata.js';

/** The key under which the compiler stores the types of constructor parameters. */
const PARAMETER_TYPES = 'design:paramtypes';

/** A class that Nest constructs without arguments, although its constructor has parameters. */
export interface UnresolvedClass {
  readonly name: string;
  readonly fault: string;
}

/**
 * Nest resolves nothing for a class whose parameter types the compiler did not emit, and reports nothing. So its first
 * call would fail because a dependency is `undefined`.
 */
export function classesWithoutArguments(methods: readonly DecoratedMethod[]): UnresolvedClass[] {
  return [...new Set(methods.filter(isUnresolved).map(({ type }) => type))].map((type) => ({
    name: className(type),
    fault:
      'Nest does not know the types of its constructor parameters and passes no arguments: add @Injectable() to the class, and compile it with "emitDecoratorMetadata" in tsconfig.json (esbuild cannot emit it, see docs/bundling.md)',
  }));
}

function isUnresolved({ wrapper, type }: DecoratedMethod): boolean {
  const isConstructedByNest = wrapper.metatype === type && !wrapper.inject;
  if (!isConstructedByNest || type.length === 0) return false;
  return !Reflect.hasMetadata(PARAMETER_TYPES, type) && metadataList(INJECTED_PARAMETERS, type).length === 0;
}
