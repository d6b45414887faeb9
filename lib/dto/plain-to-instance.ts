import { createRequire } from 'node:module';
import type { Type } from '@nestjs/common';
import type { JsonObject } from './json-object.js';

/** Like `plainToInstance` of class-transformer, in linear time. */
export function toInstance<T extends object>(type: Type<T>, document: JsonObject): T {
  return new LinearExecutor(PLAIN_TO_CLASS, defaultOptions).transform(undefined, document, type) as T;
}

/** The part of class-transformer that converts values, one at a time. */
interface TransformExecutor {
  transform(source: undefined, value: unknown, type: unknown): unknown;
  getKeys(type: unknown, object: object, isMap: boolean | undefined): string[];
}

const PLAIN_TO_CLASS = 0;

const require = createRequire(import.meta.url);

const { TransformOperationExecutor } = require('class-transformer/cjs/TransformOperationExecutor.js') as {
  readonly TransformOperationExecutor: new (transformation: number, options: object) => TransformExecutor;
};

const { defaultOptions } = require('class-transformer/cjs/constants/default-options.constant.js') as {
  readonly defaultOptions: object;
};

/**
 * class-transformer compares each property name of an object with all others, to find those that its decorators
 * repeat. An object without a class has no decorators.
 */
class LinearExecutor extends TransformOperationExecutor {
  override getKeys(type: unknown, object: object, isMap: boolean | undefined): string[] {
    return type === undefined ? Object.keys(object) : super.getKeys(type, object, isMap);
  }
}
