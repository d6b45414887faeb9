import { Catch, createParamDecorator, Inject, UseFilters, UseGuards, UseInterceptors, UsePipes } from '@nestjs/common';

/**
 * The metadata keys of Nest's own decorators. Nest does not export them, so each decorator is applied to a probe class
 * and the key is read from there.
 */
export const GUARDS = keyOf(UseGuards({ canActivate: () => true }));
export const INTERCEPTORS = keyOf(UseInterceptors({ intercept: (_context, next) => next.handle() }));
export const PIPES = keyOf(UsePipes({ transform: (value: unknown) => value }));
export const FILTERS = keyOf(UseFilters({ catch: () => undefined }));
export const CAUGHT = keyOf(Catch(TypeError), ([type]: readonly unknown[]) => type === TypeError);
export const PARAMETERS = parametersKey();
/** `@Inject` stores a constructor parameter as `{ index, param }`. */
export const INJECTED_PARAMETERS = keyOf((type) => {
  Inject('token')(type, undefined, 0);
});
/** `@Inject` stores a property as `{ key, type }`. */
export const INJECTED_PROPERTIES = keyOf((type) => {
  Inject('token')(type.prototype as object, 'property');
});

/** Reads a list of metadata from a class or method, inherited entries included. */
export function metadataList(key: string, owner: object): readonly unknown[] {
  const value: unknown = Reflect.getMetadata(key, owner);
  return Array.isArray(value) ? value : [];
}

function keyOf(decorator: ClassDecorator, isMatch: (value: readonly unknown[]) => boolean = () => true): string {
  class Probe {
    readonly isProbe = true;
  }
  decorator(Probe);
  const keys = Reflect.getMetadataKeys(Probe) as string[];
  return keys.find((key) => isMatch(metadataList(key, Probe))) ?? '';
}

function parametersKey(): string {
  class Probe {
    method(): void {
      // Never called: only its metadata is read.
    }
  }
  createParamDecorator(() => undefined)()(Probe.prototype, 'method', 0);
  return (Reflect.getMetadataKeys(Probe, 'method') as string[])[0] ?? '';
}
