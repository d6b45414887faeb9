import { Catch, createParamDecorator, Inject, UseFilters, UseGuards, UseInterceptors, UsePipes } from '@nestjs/common';

/** The names under which Nest's decorators keep what they say. Nest does not export them, so its own decorators are asked. */
export const GUARDS = keyOf(UseGuards({ canActivate: () => true }));
export const INTERCEPTORS = keyOf(UseInterceptors({ intercept: (_context, next) => next.handle() }));
export const PIPES = keyOf(UsePipes({ transform: (value: unknown) => value }));
export const FILTERS = keyOf(UseFilters({ catch: () => undefined }));
export const CAUGHT = keyOf(Catch(TypeError), ([type]: readonly unknown[]) => type === TypeError);
export const PARAMETERS = parametersKey();
/** What `@Inject` asks for: parameters of a constructor as `{ index, param }`, properties as `{ key, type }`. */
export const INJECTED_PARAMETERS = keyOf((type) => {
  Inject('token')(type, undefined, 0);
});
export const INJECTED_PROPERTIES = keyOf((type) => {
  Inject('token')(type.prototype as object, 'property');
});

function keyOf(decorator: ClassDecorator, isIt: (value: readonly unknown[]) => boolean = () => true): string {
  class Probe {
    readonly isOnlyLookedAt = true;
  }
  decorator(Probe);
  const keys = Reflect.getMetadataKeys(Probe) as string[];
  return keys.find((key) => isIt(listAt(key, Probe))) ?? '';
}

function parametersKey(): string {
  class Probe {
    method(): void {
      // Only looked at.
    }
  }
  createParamDecorator(() => undefined)()(Probe.prototype, 'method', 0);
  return (Reflect.getMetadataKeys(Probe, 'method') as string[])[0] ?? '';
}

/** What several decorators of one kind have left at a class or method, inherited ones included. */
export function listAt(key: string, owner: object): readonly unknown[] {
  const value: unknown = Reflect.getMetadata(key, owner);
  return Array.isArray(value) ? value : [];
}
