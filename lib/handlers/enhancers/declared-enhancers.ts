import type { DecoratedMethod } from '../decorated-method.js';
import { FILTERS, GUARDS, INTERCEPTORS, metadataList, PIPES } from '../nest-metadata.js';

/** The enhancers declared on a class and its method. Those of the class come first. */
export interface DeclaredEnhancers {
  readonly guards: readonly unknown[];
  readonly interceptors: readonly unknown[];
  readonly pipes: readonly unknown[];
  readonly filters: readonly unknown[];
}

export function declaredEnhancers({ type, implementation }: DecoratedMethod): DeclaredEnhancers {
  const listOf = (key: string): readonly unknown[] => [
    ...metadataList(key, type),
    ...metadataList(key, implementation),
  ];
  return { guards: listOf(GUARDS), interceptors: listOf(INTERCEPTORS), pipes: listOf(PIPES), filters: listOf(FILTERS) };
}

export const isEnhanced = (declared: DeclaredEnhancers): boolean =>
  Object.values(declared).some((list: readonly unknown[]) => list.length > 0);
