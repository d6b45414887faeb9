import type { DecoratedMethod } from './handler.explorer.js';
import { type HandlerTarget, handlerTargetOf } from './handler-target.js';
import { type HandlerParameter, parametersOf } from './decorators/parameters.decorator.js';
import type { WatchKeyMetadata, WatchKeyOptions } from './decorators/watch-key.decorator.js';

/** One `@WatchKey` of one method: everything that is known of it before anything runs. */
export interface HandlerPlan {
  readonly method: DecoratedMethod;
  /** `Class.method`. */
  readonly name: string;
  readonly cluster: string;
  readonly target: HandlerTarget;
  readonly options: WatchKeyOptions;
  readonly parameters: readonly HandlerParameter[];
}

/** @throws InvalidOptionsError for a target that cannot work */
export const planOf = (method: DecoratedMethod, { target, options }: WatchKeyMetadata): HandlerPlan => ({
  method,
  name: method.name,
  cluster: options.cluster ?? 'default',
  target: handlerTargetOf(target),
  options,
  parameters: parametersOf(method.type, method.method),
});

/** What happened to the events of one handler beside its calls. */
export class HandlerCounters {
  /** Values that were not valid. */
  invalid = 0;
  /** Events that a guard did not let pass. */
  refused = 0;
}
