import { defaultOptions } from '#class-transformer/constants/default-options.constant.js';
import { TransformOperationExecutor } from '#class-transformer/TransformOperationExecutor.js';
import type { Type } from '@nestjs/common';
import { withoutAliases } from './transform-aliases.js';
import {
  type AnyClass,
  isClass,
  isConstrained,
  propertiesOf,
  type PropertyMetadata,
  usesDiscriminator,
} from './class-metadata.js';
import { isJsonObject, type JsonObject } from './json-object.js';
import { thawed } from './json-writer.js';
import { WRITING_OPTIONS } from './secrets/writing.js';

/** Like `plainToInstance` of class-transformer, in linear time. */
export function toInstance<T extends object>(type: Type<T>, document: JsonObject): T {
  return new LinearExecutor(PLAIN_TO_CLASS, defaultOptions).transform(undefined, document, type) as T;
}

/**
 * Like `instanceToPlain` of class-transformer, in linear time. The value is an instance of the class or of a subclass, or
 * an object of any prototype with the properties of the class, such as `{ ...instance }`.
 */
export function toPlain(type: AnyClass, value: object): unknown {
  // class-transformer adds the discriminator to its source object, which may be frozen.
  const source = usesDiscriminator(type) ? withSubTypes(thawed(value), type) : value;
  const target = value instanceof type ? undefined : type;
  return new LinearExecutor(CLASS_TO_PLAIN, { ...defaultOptions, ...WRITING_OPTIONS }).transform(
    undefined,
    source,
    target,
  );
}

const PLAIN_TO_CLASS = 0;
const CLASS_TO_PLAIN = 1;

/**
 * class-transformer compares each property name of an object with all others, to find those that its decorators
 * repeat. An object without a class has no decorators. A name that only a `@Transform()` reads is no property.
 */
class LinearExecutor extends TransformOperationExecutor {
  constructor(
    private readonly transformation: number,
    options: object,
  ) {
    super(transformation, options);
  }

  override getKeys(type: unknown, object: object, isMap: boolean | undefined): string[] {
    if (type === undefined) return Object.keys(object);
    const keys = super.getKeys(type, object, isMap);
    const isDocument = this.transformation === PLAIN_TO_CLASS && isMap !== true && isConstrained(type);
    return isDocument ? withoutAliases(keys, object as JsonObject, type) : keys;
  }
}

/**
 * class-transformer finds the name of a discriminated value by its constructor. Gives a plain object that contains the
 * name the prototype of its class.
 */
function withSubTypes(value: unknown, type: unknown): unknown {
  if (Array.isArray(value) || value instanceof Set || value instanceof Map) {
    for (const item of value.values()) withSubTypes(item, type);
  } else if (isJsonObject(value) && isClass(type)) {
    for (const property of propertiesOf(type).values()) discriminate(value[property.name], property);
  }
  return value;
}

function discriminate(value: unknown, { discriminator, itemType }: PropertyMetadata): void {
  if (!discriminator) {
    withSubTypes(value, itemType);
    return;
  }
  const { property: selector, subTypes } = discriminator;
  for (const item of Array.isArray(value) || value instanceof Set ? value.values() : [value]) {
    if (!isJsonObject(item)) continue;
    const subType = subTypes.find(
      ({ value: subClass, name }) => item.constructor === subClass || (isPlain(item) && item[selector] === name),
    );
    if (subType && isPlain(item)) Object.setPrototypeOf(item, subType.value.prototype as object);
    withSubTypes(item, subType?.value);
  }
}

const isPlain = (value: object): boolean => [Object.prototype, null].includes(Object.getPrototypeOf(value) as null);
