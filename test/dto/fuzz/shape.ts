import type { AnyClass } from '../../../lib/dto/class-metadata.js';

/** Container of a nested property. */
export type Container = 'single' | 'list' | 'set' | 'map';

export interface PropertyShape {
  readonly name: string;
  /** JSON values that are likely to be valid. */
  readonly good: readonly unknown[];
  readonly nested?: NestedShape;
}

export interface NestedShape {
  /** Container that the class declares; `undefined` without emitted metadata. */
  readonly declared: Container | undefined;
  /** Container that documents use. */
  readonly container: Container;
  readonly item: ClassShape;
  readonly discriminator?: {
    readonly property: string;
    readonly subTypes: readonly SubType[];
    readonly isKept: boolean;
  };
}

export interface SubType {
  readonly name: string;
  readonly item: ClassShape;
}

/** A generated class. */
export interface ClassShape {
  readonly type: AnyClass & (new () => object);
  readonly base: ClassShape | undefined;
  /** Inherited properties included. */
  readonly properties: readonly PropertyShape[];
  /** True if validation of the class, or of a nested class, may return a promise. */
  readonly isAsync: boolean;
  /** True if unknown properties of a document may not reach the instance, or a nested one. */
  readonly hidesUnknown: boolean;
  /** Source of the class in words, for reports. */
  readonly description: string;
}

/** Returns the shapes of all classes that an item may have. */
export const itemsOf = ({ item, discriminator }: NestedShape): ClassShape[] => [
  item,
  ...(discriminator?.subTypes ?? []).map((subType) => subType.item),
];

/** Returns the shapes of a class, of its base classes and of all nested classes, by class. */
export function shapesByClass(
  shape: ClassShape,
  found = new Map<unknown, ClassShape>(),
): ReadonlyMap<unknown, ClassShape> {
  found.set(shape.type, shape);
  if (shape.base) shapesByClass(shape.base, found);
  for (const { nested } of shape.properties) {
    if (nested) for (const item of itemsOf(nested)) shapesByClass(item, found);
  }
  return found;
}
