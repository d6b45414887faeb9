import type { Type } from '@nestjs/common';
import { isConstrained } from '../dto/class-metadata.js';
import { checkDtoType, className } from '../dto/dto-type.js';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import { resolveDelivery } from '../watch/delivery/delivery-options.js';
import { declaredEnhancers } from './enhancers/declared-enhancers.js';
import { describeHandlerTarget } from './handler-target.js';
import type { HandlerPlan } from './handler.plan.js';
import {
  type HandlerParameter,
  type HandlerParameterKind,
  PARAMETER_DECORATORS,
} from './decorators/parameters.decorator.js';

/** Why a handler could not run as it is written: one sentence each. */
export function faultsOf(plan: HandlerPlan): string[] {
  return [...optionFaults(plan), ...enhancerFaults(plan), ...parameterFaults(plan), ...argumentFaults(plan)];
}

function optionFaults({ name, options }: HandlerPlan): string[] {
  const { type, onInvalid, unknown, batch } = options;
  const faults: string[] = [];
  try {
    resolveDelivery(options, {}, batch === true ? 'batch' : 'event');
    if (type !== undefined) checkDtoType(name, type);
  } catch (error) {
    if (!(error instanceof InvalidOptionsError)) throw error;
    faults.push(error.message);
  }
  if (type === undefined && (onInvalid !== undefined || unknown !== undefined)) {
    faults.push(`"onInvalid" and "unknown" are about the values of a "type": give one`);
  }
  if (![undefined, 'skip', 'error'].includes(onInvalid)) faults.push(`"onInvalid" is one of 'skip', 'error'`);
  if (![undefined, 'strip', 'refuse'].includes(unknown)) faults.push(`"unknown" is one of 'strip', 'refuse'`);
  if (batch === true && type !== undefined) {
    faults.push('a batch has values of many keys, as bytes: leave out "type", or "batch"');
  }
  return faults;
}

/** Nest constructs the guards, pipes, interceptors and filters of classes that it constructs, and silently skips those of others. */
function enhancerFaults({ method, parameters }: HandlerPlan): string[] {
  const { guards, interceptors, pipes, filters } = declaredEnhancers(method);
  const declared = [guards, interceptors, pipes, filters, ...parameters.map((parameter) => parameter.pipes)].flat();
  const { host } = method.wrapper;
  return declared
    .filter((enhancer) => typeof enhancer === 'function' && host?.injectables.has(enhancer as Type<object>) !== true)
    .map(
      (enhancer) =>
        `${className(enhancer)} is never constructed, because Nest did not construct ${method.type.name} from its class (useFactory, useValue): provide the class, or give an instance`,
    );
}

function parameterFaults({ parameters, target, options }: HandlerPlan): string[] {
  const faults: string[] = [];
  for (const { kind, index, data, factory } of parameters) {
    if (kind === undefined && typeof factory !== 'function') {
      faults.push(`its parameter ${index} has a decorator of another transport, which has nothing to give here`);
    }
    if (kind === 'key-parameter' && target.pattern?.parameters.includes(String(data)) !== true) {
      faults.push(`@KeyParam('${String(data)}'): ${describeHandlerTarget(target)} has no ":${String(data)}"`);
    }
    if (options.batch === true && kind !== undefined && !['payload', 'signal'].includes(kind)) {
      faults.push(`a batch has many keys and values: its parameters are @Payload(), the batch, and @Signal()`);
    }
  }
  const decorated = new Set(parameters.map(({ index }) => index));
  const bare = [...Array(Math.max(...decorated, -1) + 1).keys()].find((index) => !decorated.has(index));
  if (bare !== undefined) {
    faults.push(`its parameter ${bare} would be undefined: where one parameter has a decorator, all have one`);
  }
  return faults;
}

/** What the compiler has left of the parameters' types (`emitDecoratorMetadata`) against what will be given. Pipes may give anything. */
function argumentFaults({ method, options, parameters }: HandlerPlan): string[] {
  const { type, batch } = options;
  const types = (Reflect.getMetadata('design:paramtypes', method.type.prototype as object, method.method) ??
    []) as unknown[];
  if (declaredEnhancers(method).pipes.length > 0) return [];
  if (parameters.length === 0) {
    const [first] = types;
    if (type !== undefined && !fits(first, type))
      return [`it takes ${className(first)}, but "type" is ${className(type)}`];
    if (type === undefined && isConstrained(first)) {
      return [
        `it takes ${className(first)}, but is given ${batch === true ? 'batches' : `events: say { type: ${className(first)} }`}`,
      ];
    }
    return [];
  }
  return parameters.flatMap((parameter) => {
    const expected = expectedType(parameter, options);
    const declared = types[parameter.index];
    if (parameter.pipes.length > 0 || expected === undefined || fits(declared, expected)) return [];
    return [
      `its parameter ${parameter.index} is declared as ${className(declared)}, but ${PARAMETER_DECORATORS[parameter.kind as HandlerParameterKind]} gives ${expected === Object ? 'an interface' : className(expected)}${hint(parameter, options, declared)}`,
    ];
  });
}

function expectedType({ kind }: HandlerParameter, { type, batch }: HandlerPlan['options']): unknown {
  switch (kind) {
    case 'payload':
    case 'previous':
      return batch === true ? Object : (type ?? Buffer);
    case 'event':
      return Object;
    case 'key':
    case 'key-parameter':
      return String;
    case 'signal':
      return AbortSignal;
    case 'context':
    case undefined:
      return undefined;
  }
}

function hint({ kind }: HandlerParameter, { type, batch }: HandlerPlan['options'], declared: unknown): string {
  const isPayload = kind === 'payload' || kind === 'previous';
  return isPayload && type === undefined && batch !== true ? `: say { type: ${className(declared)} }` : '';
}

/** Interfaces, unions and generics are `Object` to the compiler: nothing can be said of them. */
function fits(declared: unknown, given: unknown): boolean {
  if (declared === undefined || declared === Object || declared === given) return true;
  if (typeof declared !== 'function' || typeof given !== 'function') return false;
  return (given as Type<object>).prototype instanceof declared;
}
