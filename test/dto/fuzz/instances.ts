import { getMetadataStorage, ValidationTypes } from 'class-validator';
import type { AnyClass } from '../../../lib/dto/class-metadata.js';
import { itemPath, propertyPath } from '../../../lib/dto/property-path.js';
import type { ClassShape, NestedShape } from './shape.js';

export interface InstanceVisitor {
  /** `selector` is the property that selected the class among those of a discriminator. */
  instance?(instance: Record<string, unknown>, path: string, selector: string | undefined): void;
  /** Called for each nested value, with its part of the document. Returns false if its items must not be visited. */
  nested?(value: object, designType: unknown, path: string, source: unknown): boolean;
}

/** Visits the instances of generated classes in a value, and their nested values. */
export function visitInstances(
  value: unknown,
  document: unknown,
  shapes: ReadonlyMap<unknown, ClassShape>,
  visitor: InstanceVisitor,
): void {
  visitItem(value, '', undefined, document);

  function visitItem(item: unknown, path: string, selector: string | undefined, source: unknown): void {
    if (typeof item !== 'object' || item === null) return;
    if (Array.isArray(item) || item instanceof Set || item instanceof Map) visitItems(item, path, undefined, source);
    else if (shapes.has(item.constructor)) visitInstance(item as Record<string, unknown>, path, selector, source);
  }

  function visitInstance(
    instance: Record<string, unknown>,
    path: string,
    selector: string | undefined,
    source: unknown,
  ): void {
    visitor.instance?.(instance, path, selector);
    const type = instance.constructor as unknown as AnyClass;
    for (const name of nestedNamesOf(type)) {
      const nested = instance[name];
      const at = propertyPath(path, name);
      if (typeof nested !== 'object' || nested === null) continue;
      const designType: unknown = Reflect.getMetadata('design:type', type.prototype as object, name);
      const part = partOf(source, name);
      if (visitor.nested?.(nested, designType, at, part) === false) continue;
      visitItems(nested, at, nestedShapeOf(shapes, type, name)?.discriminator?.property, part);
    }
  }

  function visitItems(nested: object, path: string, selector: string | undefined, source: unknown): void {
    let index = 0;
    if (nested instanceof Map) {
      for (const [key, item] of nested)
        visitItem(item, propertyPath(path, String(key)), undefined, partOf(source, String(key)));
    } else if (Array.isArray(nested) || nested instanceof Set) {
      // A Set contains equal values once.
      const sources = nested instanceof Set && Array.isArray(source) ? [...new Set(source)] : source;
      for (const item of nested as Iterable<unknown>) {
        visitItem(item, itemPath(path, index), selector, partOf(sources, String(index)));
        index += 1;
      }
    } else {
      visitItem(nested, path, selector, source);
    }
  }
}

const partOf = (source: unknown, name: string): unknown =>
  typeof source === 'object' && source !== null ? Reflect.get(source, name) : undefined;

/** Names of the properties with a decorator of class-validator. */
export const validatedNamesOf = (type: unknown): ReadonlySet<string> =>
  new Set(metadataOf(type).map(({ propertyName }) => propertyName));

/** Names of the properties with `@ValidateNested()`. */
export const nestedNamesOf = (type: unknown): ReadonlySet<string> =>
  new Set(
    metadataOf(type)
      .filter((metadata) => metadata.type === ValidationTypes.NESTED_VALIDATION)
      .map(({ propertyName }) => propertyName),
  );

const metadataOf = (type: unknown) =>
  getMetadataStorage().getTargetValidationMetadatas(type as AnyClass, '', false, false);

function nestedShapeOf(
  shapes: ReadonlyMap<unknown, ClassShape>,
  type: unknown,
  property: string,
): NestedShape | undefined {
  for (let shape = shapes.get(type); shape; shape = shape.base) {
    const nested = shape.properties.find(({ name }) => name === property)?.nested;
    if (nested) return nested;
  }
  return undefined;
}
