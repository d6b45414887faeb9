import type { PipeTransform, Type } from '@nestjs/common';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { PARAMETERS } from '../nest-metadata.js';
import { className } from '../../foreign/class-name.js';

export type HandlerParameterKind =
  'payload' | 'previous' | 'event' | 'key' | 'key-parameter' | 'signal' | 'context' | 'fence';

/** A pipe for one parameter: an instance, or a class that Nest resolves from the module of the handler. */
export type ParameterPipe = Type<PipeTransform> | PipeTransform;

/** One decorated parameter of a handler, in the format of Nest's metadata. */
export interface HandlerParameter {
  /** `undefined` for a decorator of another library. */
  readonly kind: HandlerParameterKind | undefined;
  readonly index: number;
  /** The name of a key parameter. */
  readonly data: unknown;
  readonly pipes: readonly unknown[];
  /** The function passed to `createParamDecorator`. */
  readonly factory: unknown;
}

/**
 * The numbers by which Nest identifies parameter kinds. 3 is the body in all its transports (`@Body()`, `@Payload()` of
 * microservices), and `ValidationPipe` depends on it. Nest does not use the other numbers.
 */
const KIND_NUMBERS = {
  payload: 3,
  previous: 201,
  event: 202,
  key: 203,
  'key-parameter': 204,
  signal: 205,
  context: 206,
  fence: 207,
} as const;

/** For messages. */
export const PARAMETER_DECORATORS: Readonly<Record<HandlerParameterKind, string>> = {
  payload: '@Payload()',
  previous: '@Previous()',
  event: '@Event()',
  key: '@Key()',
  'key-parameter': '@KeyParam()',
  signal: '@Signal()',
  context: '@Delivery()',
  fence: '@Fenced()',
};

/**
 * Injects the value: the validated, frozen value if the handler has a `type` or `schema`, otherwise the bytes;
 * `undefined` on delete.
 * Injects the `WatchBatch` if the handler has `batch: true`.
 */
export const Payload = (...pipes: ParameterPipe[]): ParameterDecorator => parameter('payload', undefined, pipes);

/**
 * Injects the value before the event (`WatchEvent.previous`), in the form of `@Payload()`. `undefined` if the key was
 * absent or its value was invalid.
 */
export const Previous = (...pipes: ParameterPipe[]): ParameterDecorator => parameter('previous', undefined, pipes);

/** Injects the `WatchEvent`. */
export const Event = (...pipes: ParameterPipe[]): ParameterDecorator => parameter('event', undefined, pipes);

/** Injects the key, without the cluster's `keyPrefix`. */
export const Key = (...pipes: ParameterPipe[]): ParameterDecorator => parameter('key', undefined, pipes);

/** Injects the segment of the key in place of `:name` in the target. */
export const KeyParam = (name: string, ...pipes: ParameterPipe[]): ParameterDecorator =>
  parameter('key-parameter', name, pipes);

/** Injects the `AbortSignal` of the call. */
export const Signal = (...pipes: ParameterPipe[]): ParameterDecorator => parameter('signal', undefined, pipes);

/** Injects the `Fence` of the event's partition. Only in a handler with `group`. */
export const Fenced = (...pipes: ParameterPipe[]): ParameterDecorator => parameter('fence', undefined, pipes);

/**
 * Injects the `DeliveryContext` of the call: its attempt, its signal, and in a handler group also its fence, whether the
 * event is redelivered, and `commit()`.
 */
export const Delivery = (...pipes: ParameterPipe[]): ParameterDecorator => parameter('context', undefined, pipes);

/** Returns the decorated parameters of a method in any order, inherited ones included. */
export function parametersOf(type: object, method: string): readonly HandlerParameter[] {
  const metadata = (Reflect.getMetadata(PARAMETERS, type, method) ?? {}) as Record<string, Partial<HandlerParameter>>;
  return Object.values(metadata).map(({ kind, index = 0, data, pipes = [], factory }) => ({
    kind,
    index,
    data,
    pipes,
    factory,
  }));
}

/** Stores positional parameters as metadata of a method, under a separate key. */
export function defineParameters(
  key: string,
  type: object,
  method: string,
  kinds: readonly HandlerParameterKind[],
): void {
  Reflect.defineMetadata(
    key,
    Object.assign({}, ...kinds.map((kind, index) => entry(kind, index, undefined, []))),
    type,
    method,
  );
}

export const kindOf = (number: number): HandlerParameterKind | undefined =>
  (Object.keys(KIND_NUMBERS) as HandlerParameterKind[]).find((kind) => KIND_NUMBERS[kind] === number);

function parameter(kind: HandlerParameterKind, data: unknown, pipes: readonly ParameterPipe[]): ParameterDecorator {
  return (owner, method, index) => {
    if (typeof owner === 'function' || method === undefined) {
      throw new InvalidOptionsError(
        `${PARAMETER_DECORATORS[kind]} decorates a parameter of a constructor or static method of ${className(typeof owner === 'function' ? owner : owner.constructor)}: decorate a parameter of a @WatchKey method`,
      );
    }
    const existing = (Reflect.getMetadata(PARAMETERS, owner.constructor, method) ?? {}) as object;
    Reflect.defineMetadata(PARAMETERS, { ...existing, ...entry(kind, index, data, pipes) }, owner.constructor, method);
  };
}

const entry = (kind: HandlerParameterKind, index: number, data: unknown, pipes: readonly ParameterPipe[]): object => ({
  [`${KIND_NUMBERS[kind]}:${index}`]: { kind, index, data, pipes },
});
