import { defaultOptions } from '#class-transformer/constants/default-options.constant.js';
import { TransformOperationExecutor } from '#class-transformer/TransformOperationExecutor.js';
import type { Type } from '@nestjs/common';
import type { JsonObject } from './json-object.js';

/** Like `plainToInstance` of class-transformer, in linear time. */
export function toInstance<T extends object>(type: Type<T>, document: JsonObject): T {
  return new LinearExecutor(PLAIN_TO_CLASS, defaultOptions).transform(undefined, document, type) as T;
}

const PLAIN_TO_CLASS = 0;

/**
 * class-transformer compares each property name of an object with all others, to find those that its decorators
 * repeat. An object without a class has no decorators.
 */
class LinearExecutor extends TransformOperationExecutor {
  override getKeys(type: unknown, object: object, isMap: boolean | undefined): string[] {
    return type === undefined ? Object.keys(object) : super.getKeys(type, object, isMap);
  }
}
