import type { DecoratedMethod } from '../handler.explorer.js';
import { FILTERS, GUARDS, INTERCEPTORS, listAt, PIPES } from './nest-metadata.js';

/** What is declared on a method and its class, the class's first. */
export interface DeclaredEnhancers {
  readonly guards: readonly unknown[];
  readonly interceptors: readonly unknown[];
  readonly pipes: readonly unknown[];
  readonly filters: readonly unknown[];
}

export function declaredEnhancers({ type, implementation }: DecoratedMethod): DeclaredEnhancers {
  const at = (key: string): readonly unknown[] => [...listAt(key, type), ...listAt(key, implementation)];
  return { guards: at(GUARDS), interceptors: at(INTERCEPTORS), pipes: at(PIPES), filters: at(FILTERS) };
}

export const isEnhanced = (declared: DeclaredEnhancers): boolean =>
  Object.values(declared).some((list: readonly unknown[]) => list.length > 0);
