import type { PipeTransform, Type } from '@nestjs/common';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { PARAMETERS } from '../enhancers/nest-metadata.js';

export type HandlerParameterKind = 'payload' | 'previous' | 'event' | 'key' | 'key-parameter' | 'signal' | 'context';

/** A pipe for one parameter: its class, which is taken from the module of the handler, or an instance. */
export type ParameterPipe = Type<PipeTransform> | PipeTransform;

/** One decorated parameter of a handler, in the form that Nest reads. */
export interface HandlerParameter {
  /** `undefined` for a decorator that is not of this library. */
  readonly kind: HandlerParameterKind | undefined;
  readonly index: number;
  /** The name of a key parameter. */
  readonly data: unknown;
  readonly pipes: readonly unknown[];
  /** What `createParamDecorator` was given. */
  readonly factory: unknown;
}

/**
 * Numbers by which Nest asks for a parameter. 3 is what it calls the body everywhere (`@Body()`, `@Payload()` of microservices): its `ValidationPipe` looks at
 * that one. The others are unknown to it.
 */
const NUMBERS = {
  payload: 3,
  previous: 201,
  event: 202,
  key: 203,
  'key-parameter': 204,
  signal: 205,
  context: 206,
} as const;

/** As sentences call them. */
export const PARAMETER_DECORATORS: Readonly<Record<HandlerParameterKind, string>> = {
  payload: '@Payload()',
  previous: '@Previous()',
  event: '@Event()',
  key: '@Key()',
  'key-parameter': '@KeyParam()',
  signal: '@Signal()',
  context: 'the context',
};

/**
 * What was written: with `type` the validated, frozen DTO, else the bytes; `undefined` on delete. With `batch: true` the `WatchBatch`. Pipes may follow.
 */
export const Payload = (...pipes: ParameterPipe[]): ParameterDecorator => parameter('payload', undefined, pipes);

/** What this handler was last given for the key, in the form of `@Payload()`; `undefined` when it was absent, or not valid. */
export const Previous = (...pipes: ParameterPipe[]): ParameterDecorator => parameter('previous', undefined, pipes);

/** The `WatchEvent`. */
export const Event = (...pipes: ParameterPipe[]): ParameterDecorator => parameter('event', undefined, pipes);

/** The key, without the cluster's `keyPrefix`. */
export const Key = (...pipes: ParameterPipe[]): ParameterDecorator => parameter('key', undefined, pipes);

/** What stands in the key where the target has `:name`. */
export const KeyParam = (name: string, ...pipes: ParameterPipe[]): ParameterDecorator =>
  parameter('key-parameter', name, pipes);

/** The `AbortSignal` of the call. */
export const Signal = (...pipes: ParameterPipe[]): ParameterDecorator => parameter('signal', undefined, pipes);

/** The decorated parameters of a method, in any order; inherited ones with it. */
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

/** Leaves with a method, under a name of its own, what an undecorated one is called with. */
export function defineParameters(
  name: string,
  type: object,
  method: string,
  kinds: readonly HandlerParameterKind[],
): void {
  Reflect.defineMetadata(
    name,
    Object.assign({}, ...kinds.map((kind, index) => entry(kind, index, undefined, []))),
    type,
    method,
  );
}

/** The kind that Nest asks for by its number. */
export const kindOf = (number: number): HandlerParameterKind | undefined =>
  (Object.keys(NUMBERS) as HandlerParameterKind[]).find((kind) => NUMBERS[kind] === number);

function parameter(kind: HandlerParameterKind, data: unknown, pipes: readonly ParameterPipe[]): ParameterDecorator {
  return (owner, method, index) => {
    if (typeof owner === 'function' || method === undefined) {
      throw new InvalidOptionsError(
        `${PARAMETER_DECORATORS[kind]} stands on a parameter of ${typeof owner === 'function' ? owner.name : owner.constructor.name}'s constructor or of a static method; it belongs on a parameter of a @WatchKey method`,
      );
    }
    const known = (Reflect.getMetadata(PARAMETERS, owner.constructor, method) ?? {}) as object;
    Reflect.defineMetadata(PARAMETERS, { ...known, ...entry(kind, index, data, pipes) }, owner.constructor, method);
  };
}

const entry = (kind: HandlerParameterKind, index: number, data: unknown, pipes: readonly ParameterPipe[]): object => ({
  [`${NUMBERS[kind]}:${index}`]: { kind, index, data, pipes },
});
