import type { ValueType } from '../dto/value-type.js';
import type { DecoratedMethod } from './decorated-method.js';
import { type HandlerParameter, parametersOf } from './decorators/parameters.decorator.js';
import type { WatchKeyMetadata, WatchKeyOptions } from './decorators/watch-key.decorator.js';
import { type HandlerTarget, handlerTargetOf } from './handler-target.js';

/** Describes one `@WatchKey` of one method before it is attached. */
export interface HandlerPlan {
  readonly method: DecoratedMethod;
  /** `Class.method`. */
  readonly name: string;
  readonly cluster: string;
  readonly target: HandlerTarget;
  readonly options: WatchKeyOptions;
  /** The class or the schema of the values; `undefined`: the method receives bytes. */
  readonly valueType: ValueType | undefined;
  readonly parameters: readonly HandlerParameter[];
}

/** @throws InvalidOptionsError for an invalid target */
export const planOf = (method: DecoratedMethod, { target, options }: WatchKeyMetadata): HandlerPlan => ({
  method,
  name: method.name,
  cluster: options.cluster ?? 'default',
  target: handlerTargetOf(target),
  options,
  valueType: options.type ?? options.schema,
  parameters: parametersOf(method.type, method.method),
});

/** Counts the events that did not reach the method of one handler. */
export class HandlerCounters {
  /** Values that failed validation. */
  invalid = 0;
  /** Calls that a guard denied. */
  denied = 0;
}
