import type { Type } from '@nestjs/common';
import { checkGroupHandler, resolveGroup } from '../coordination/groups/group-options.js';
import { isConstrained } from '../dto/class-metadata.js';
import { valueTypeOf } from '../dto/value-type.js';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import { checkKnown, checkOneOf } from '../option-checks.js';
import { resolveDelivery } from '../watch/delivery/delivery-options.js';
import type { DecoratedMethod } from './decorated-method.js';
import {
  type HandlerParameter,
  type HandlerParameterKind,
  PARAMETER_DECORATORS,
  parametersOf,
} from './decorators/parameters.decorator.js';
import { WATCH_KEY_OPTIONS } from './decorators/watch-key.decorator.js';
import { declaredEnhancers } from './enhancers/declared-enhancers.js';
import { describeHandlerTarget } from './handler-target.js';
import type { HandlerPlan } from './handler.plan.js';
import { className } from '../foreign/class-name.js';
import { printable, quoted } from '../foreign/foreign-text.js';

/** Returns one sentence for each reason that prevents the handler from running. */
export function faultsOf(plan: HandlerPlan): string[] {
  return [...optionFaults(plan), ...enhancerFaults(plan), ...parameterFaults(plan), ...argumentFaults(plan)];
}

/** Returns one sentence for each reason that prevents a `@ClusterCron` method from running. */
export function tickFaultsOf(method: DecoratedMethod): string[] {
  const parameters = parametersOf(method.type, method.method);
  const foreign = parameters.find(({ kind }) => kind !== undefined && kind !== 'payload' && kind !== 'signal');
  const faults = enhancerFaults({ method, parameters });
  if (method.watchKeys.length > 0 || foreign?.kind === undefined) return faults;
  const decorator = PARAMETER_DECORATORS[foreign.kind];
  return [...faults, `a tick has no ${decorator}: use @Payload() (the tick) and @Signal()`];
}

function optionFaults({ name, options, target }: HandlerPlan): string[] {
  const { type, schema, onInvalid, unknown, batch } = options;
  const isTyped = type !== undefined || schema !== undefined;
  const faults = [
    ...faultOf(() => {
      checkKnown(options, WATCH_KEY_OPTIONS, { owner: ' of @WatchKey' });
    }),
    ...faultOf(() => {
      resolveDelivery(options, {}, batch === true ? 'batch' : 'event');
      if (isTyped) valueTypeOf(name, options);
    }),
    ...faultOf(() => {
      checkGroup(options, target);
    }),
    ...faultOf(() => {
      checkOneOf('"onInvalid"', onInvalid, ['skip', 'error']);
    }),
    ...faultOf(() => {
      checkOneOf('"unknown"', unknown, ['strip', 'refuse']);
    }),
  ];
  if (!isTyped && (onInvalid !== undefined || unknown !== undefined)) {
    faults.push('"onInvalid" and "unknown" require a "type"');
  }
  if (schema !== undefined && unknown !== undefined) {
    faults.push('"unknown" applies to a "type"; the "schema" decides itself about unknown properties');
  }
  if (batch === true && isTyped) {
    const option = type === undefined ? 'schema' : 'type';
    faults.push(
      `"${option}" cannot be combined with "batch", which delivers the bytes of many keys: remove one of them`,
    );
  }
  return faults;
}

/** @throws InvalidOptionsError */
function checkGroup(options: HandlerPlan['options'], target: HandlerPlan['target']): void {
  const { group, onExhausted } = options;
  if (group === undefined) {
    if (onExhausted === 'park') throw new InvalidOptionsError(`"onExhausted": 'park' needs "group"`);
    return;
  }
  const { partitionBy } = resolveGroup(group);
  checkGroupHandler({ ...options });
  if (partitionBy === undefined || target.pattern?.parameters.includes(partitionBy) === true) return;
  throw new InvalidOptionsError(
    `"group.partitionBy": ${describeHandlerTarget(target)} has no ${quoted(`:${partitionBy}`)}`,
  );
}

function faultOf(check: () => void): string[] {
  try {
    check();
    return [];
  } catch (error) {
    if (error instanceof InvalidOptionsError) return [error.message];
    throw error;
  }
}

/** Nest instantiates the enhancers only of classes that it instantiates itself, and silently skips those of others. */
function enhancerFaults({ method, parameters }: Pick<HandlerPlan, 'method' | 'parameters'>): string[] {
  const { guards, interceptors, pipes, filters } = declaredEnhancers(method);
  const declared = [guards, interceptors, pipes, filters, ...parameters.map((parameter) => parameter.pipes)].flat();
  const { host } = method.wrapper;
  return declared
    .filter((enhancer) => typeof enhancer === 'function' && host?.injectables.has(enhancer as Type<object>) !== true)
    .map(
      (enhancer) =>
        `${className(enhancer)} is never instantiated, because Nest did not create ${className(method.type)} from its class (useFactory, useValue): provide the class, or pass an instance of ${className(enhancer)}`,
    );
}

const BATCH_PARAMETERS: readonly HandlerParameterKind[] = ['payload', 'context', 'signal', 'fence'];

function parameterFaults({ parameters, target, options }: HandlerPlan): string[] {
  const faults: string[] = [];
  for (const { kind, index, data, factory } of parameters) {
    if (kind === undefined && typeof factory !== 'function') {
      faults.push(`parameter ${index} has a decorator of another transport, which provides no value here`);
    }
    if (kind === 'key-parameter' && typeof data !== 'string') {
      faults.push(`@KeyParam() of parameter ${index} needs the name of a parameter of the target, such as 'id'`);
    } else if (kind === 'key-parameter' && target.pattern?.parameters.includes(String(data)) !== true) {
      faults.push(
        `@KeyParam('${printable(String(data))}'): ${describeHandlerTarget(target)} has no ${quoted(`:${String(data)}`)}`,
      );
    }
    if (options.batch === true && kind !== undefined && !BATCH_PARAMETERS.includes(kind)) {
      faults.push(
        'a method with "batch" supports only the decorators @Payload() (the batch), @Delivery(), @Signal() and @Fenced()',
      );
    }
    if (kind === 'fence' && options.group === undefined)
      faults.push('@Fenced() needs "group": without it, the method is called on every instance');
  }
  const decorated = new Set(parameters.map(({ index }) => index));
  const undecorated = [...Array(Math.max(...decorated, -1) + 1).keys()].find((index) => !decorated.has(index));
  if (undecorated !== undefined) {
    faults.push(`parameter ${undecorated} would be undefined: decorate every parameter or none`);
  }
  return faults;
}

/**
 * Compares the parameter types that the compiler emitted (`emitDecoratorMetadata`) with the values that the method
 * would receive. Parameters behind pipes are not checked: a pipe may return anything.
 */
function argumentFaults({ method, options, parameters, valueType }: HandlerPlan): string[] {
  const { type, batch } = options;
  const types = (Reflect.getMetadata('design:paramtypes', method.type.prototype as object, method.method) ??
    []) as unknown[];
  if (declaredEnhancers(method).pipes.length > 0) return [];
  if (parameters.length === 0) {
    const [first] = types;
    if (type !== undefined && !isCompatible(first, type))
      return [`parameter 0 is declared as ${className(first)}, but "type" is ${className(type)}`];
    if (valueType === undefined && isConstrained(first)) {
      return [
        `parameter 0 is declared as ${className(first)}, but the method receives ${batch === true ? 'batches' : `events: set { type: ${className(first)} }`}`,
      ];
    }
    return [];
  }
  return parameters.flatMap((parameter) => {
    const expected = expectedType(parameter, options);
    const declared = types[parameter.index];
    if (parameter.pipes.length > 0 || expected === undefined || isCompatible(declared, expected)) return [];
    return [
      `parameter ${parameter.index} is declared as ${className(declared)}, but ${PARAMETER_DECORATORS[parameter.kind as HandlerParameterKind]} provides ${expected === Object ? 'an interface' : className(expected)}${typeHint(parameter, options, declared)}`,
    ];
  });
}

function expectedType({ kind }: HandlerParameter, { type, schema, batch }: HandlerPlan['options']): unknown {
  switch (kind) {
    case 'payload':
    case 'previous':
      // Only the compiler knows what a schema returns.
      return batch === true ? Object : (type ?? (schema ? undefined : Buffer));
    case 'event':
      return Object;
    case 'key':
    case 'key-parameter':
      return String;
    case 'signal':
      return AbortSignal;
    case 'context':
    case 'fence':
    case undefined:
      return undefined;
  }
}

function typeHint({ kind }: HandlerParameter, { type, batch }: HandlerPlan['options'], declared: unknown): string {
  const isPayload = kind === 'payload' || kind === 'previous';
  return isPayload && type === undefined && batch !== true ? `: set { type: ${className(declared)} }` : '';
}

/** The compiler emits `Object` for interfaces, unions and generics, so these are compatible with everything. */
function isCompatible(declared: unknown, provided: unknown): boolean {
  if (declared === undefined || declared === Object || declared === provided) return true;
  if (typeof declared !== 'function' || typeof provided !== 'function') return false;
  return (provided as Type<object>).prototype instanceof declared;
}
