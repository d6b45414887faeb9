import type { ApplicationConfig } from '@nestjs/core';
import { declaredEnhancers, isEnhanced } from './enhancers/declared-enhancers.js';
import { EtcdTriggerContext, type HandlerInvocation } from './etcd-trigger.context.js';
import { HandlerEnhancers } from './enhancers/handler.enhancers.js';
import type { DecoratedMethod, Method } from './handler.explorer.js';
import type { HandlerPlan, HandlerCounters } from './handler.plan.js';
import { HandlerScope, isSingleton, moduleRefOf } from './enhancers/handler.scope.js';
import { PARAMETERS } from './enhancers/nest-metadata.js';
import { defineParameters, type HandlerParameterKind } from './decorators/parameters.decorator.js';

export interface InvokeHandlerOptions {
  readonly counters: HandlerCounters;
  /** What is declared for the whole application, where that counts for handlers. */
  readonly application: ApplicationConfig | undefined;
}

export type InvokeHandler = (call: HandlerInvocation) => unknown;

/** Whether nothing stands around the method and none of its parameters is decorated: Nest has nothing to do then. */
export const isPlain = ({ method, parameters }: HandlerPlan, { application }: InvokeHandlerOptions): boolean =>
  application === undefined && parameters.length === 0 && !isEnhanced(declaredEnhancers(method));

/** Calls the method on the instance it belongs to - one for each call where the class is request-scoped or transient - through what stands around it. */
export const callerOf = (plan: HandlerPlan, options: InvokeHandlerOptions): InvokeHandler =>
  isPlain(plan, options) ? plainCaller(plan) : enhancedCaller(plan, options);

/**
 * The method with its instance: the only one, or a fresh one for each call where the class is request-scoped or transient. `request` is what `REQUEST` is
 * there.
 */
export function methodOf({ wrapper, method }: DecoratedMethod): (request: unknown, args: unknown[]) => unknown {
  if (isSingleton(wrapper)) {
    const instance = wrapper.instance as Record<string, Method>;
    return (_request, args) => instance[method]?.(...args);
  }
  const moduleRef = moduleRefOf(wrapper);
  return async (request, args) => {
    const instance = await new HandlerScope(moduleRef, request).resolve<Record<string, Method>>(wrapper.token);
    return instance[method]?.(...args);
  };
}

function plainCaller({ method }: HandlerPlan): InvokeHandler {
  const invoke = methodOf(method);
  return (call) => invoke(call.subject, argumentsOf(call));
}

function enhancedCaller(plan: HandlerPlan, { application, counters }: InvokeHandlerOptions): InvokeHandler {
  const { method, name } = plan;
  const enhancers = new HandlerEnhancers(method, {
    parameters: parametersNameOf(plan),
    pipes: plan.parameters.flatMap(({ pipes }) => pipes),
    application,
    refused: () => {
      counters.refused += 1;
    },
  });
  if (isSingleton(method.wrapper) && !enhancers.isScoped) {
    const bound = enhancers.bind(method.wrapper.instance);
    return (call) => bound(new EtcdTriggerContext(name, call));
  }
  const moduleRef = moduleRefOf(method.wrapper);
  return async (call) => {
    const bound = await enhancers.bindIn(new HandlerScope(moduleRef, call.subject));
    return bound(new EtcdTriggerContext(name, call));
  };
}

/** What a method without decorated parameters is called with. */
const argumentsOf = ({ subject, delivery, typed }: HandlerInvocation): unknown[] =>
  typed ? [typed.value, subject, delivery] : [subject, delivery];

/** The name under which Nest finds the parameters. A method without decorated ones has the usual, so that pipes have something to work on. */
function parametersNameOf({ parameters, method: { type, method }, options }: HandlerPlan): string {
  if (parameters.length > 0) return PARAMETERS;
  const shape = options.type ? 'typed' : options.batch === true ? 'batch' : 'event';
  const name = `nestjs-etcd-trigger:${shape}-parameters`;
  defineParameters(name, type, method, USUAL[shape]);
  return name;
}

const USUAL: Readonly<Record<'typed' | 'batch' | 'event', readonly HandlerParameterKind[]>> = {
  typed: ['payload', 'event', 'context'],
  batch: ['payload', 'context'],
  event: ['event', 'context'],
};
