import type { DeliveryContext, WatchEvent } from '../../watch/watch-event.js';

/**
 * Decorates a method whose first parameter accepts `Value`.
 * @typeParam Method the type of the decorated method
 */
export type HandlerDecorator<Value> = <Method extends (...parameters: never[]) => unknown>(
  target: object,
  name: string | symbol,
  descriptor: TypedPropertyDescriptor<Method> & FirstParameter<Parameters<Method>[0], Value>,
) => void;

/**
 * `unknown`, which is no condition, if the parameter accepts the value, or if it can have a parameter decorator: the
 * compiler cannot see those. A primitive may be a key, a part of it, or the result of a pipe.
 */
export type FirstParameter<Declared, Value> = [Value] extends [Declared]
  ? unknown
  : [Declared] extends [string | number | bigint | boolean | symbol | null | undefined]
    ? unknown
    : [WatchEvent] extends [Declared]
      ? unknown
      : [AbortSignal] extends [Declared]
        ? unknown
        : [DeliveryContext] extends [Declared]
          ? unknown
          : { readonly 'the first parameter must accept': Value };
