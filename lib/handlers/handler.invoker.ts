import type { ApplicationConfig } from '@nestjs/core';
import type { DocumentLimits } from '../dto/document-limits.js';
import type { ClusterCronTick } from '../coordination/cron-tick.js';
import type { InstanceLog } from '../etcd-trigger.log.js';
import type { DeliveryContext, WatchBatch, WatchEvent, WatchHandler } from '../watch/watch-event.js';
import type { DecoratedMethod, Method } from './decorated-method.js';
import { defineParameters, type HandlerParameterKind, parametersOf } from './decorators/parameters.decorator.js';
import { declaredEnhancers, isEnhanced } from './enhancers/declared-enhancers.js';
import { commitRefused } from '../watch/delivery/handler-runner.js';
import { HandlerEnhancers } from './enhancers/handler.enhancers.js';
import { HandlerScope, isSingleton, moduleRefOf, scopedMethodOf } from './enhancers/handler.scope.js';
import { EtcdTriggerContext, type HandlerInvocation } from './etcd-trigger.context.js';
import type { HandlerCounters, HandlerPlan } from './handler.plan.js';
import type { KeyPattern } from './key-pattern.js';
import { PARAMETERS } from './nest-metadata.js';
import { PayloadParser, SKIPPED } from './payload.parser.js';

export interface InvokerOptions {
  readonly counters: HandlerCounters;
  /** Provides the global enhancers; `undefined` unless `handlers.useGlobalEnhancers` is set. */
  readonly application: ApplicationConfig | undefined;
  readonly log: InstanceLog;
  readonly limits: DocumentLimits;
}

type CallOptions = Pick<InvokerOptions, 'counters' | 'application'>;
type InvokedMethod = Pick<HandlerPlan, 'method' | 'parameters'>;

type InvokeHandler = (invocation: HandlerInvocation) => unknown;

/**
 * Adapts a handler method to the watcher. A singleton method that needs only the event and its context is called
 * directly, without any allocation per event.
 */
export function invokerOf(plan: HandlerPlan, options: InvokerOptions): WatchHandler {
  const { method, target, options: watchKey } = plan;
  const { pattern } = target;
  const isPlain = !needsNest(plan, options);
  const parser = watchKey.batch === true ? undefined : parserOf(plan, options);
  if (isPlain && watchKey.batch !== true && !parser && !pattern && isSingleton(method.wrapper)) {
    const instance = method.wrapper.instance as Record<string, Method>;
    return { event: (event, delivery) => instance[method.method]?.(event, delivery) };
  }
  const invoke = isPlain ? plainInvoke(plan) : enhancedInvoke(plan, parametersKeyOf(plan), options);
  if (watchKey.batch === true) return { batch: batchInvoker(invoke, pattern) };
  return { event: parser ? typedInvoker(invoke, parser, plan) : eventInvoker(invoke, pattern) };
}

/** Adapts a method to the ticks of `@ClusterCron`. */
export function tickInvokerOf(method: DecoratedMethod, options: CallOptions): (tick: ClusterCronTick) => unknown {
  const parameters = parametersOf(method.type, method.method);
  if (!needsNest({ method, parameters }, options)) {
    const call = scopedMethodOf(method);
    return (tick) => call(tick, [tick]);
  }
  const key = parameters.length > 0 ? PARAMETERS : positionalParametersKey(method, 'tick');
  const invoke = enhancedInvoke({ method, parameters }, key, options);
  return (subject) => {
    const { signal, fence } = subject;
    const delivery = { signal, fence, attempt: 1, redelivered: false, commit: () => Promise.reject(commitRefused()) };
    return invoke({ subject, delivery, keyParameters: undefined, typed: undefined });
  };
}

const eventInvoker =
  (invoke: InvokeHandler, pattern: KeyPattern | undefined) =>
  (event: WatchEvent, delivery: DeliveryContext): unknown => {
    const keyParameters = pattern?.match(event.key);
    if (pattern && !keyParameters) return undefined;
    return invoke({ subject: event, delivery, keyParameters, typed: undefined });
  };

/** Passes on only the events whose keys match the pattern. */
const batchInvoker =
  (invoke: InvokeHandler, pattern: KeyPattern | undefined) =>
  (batch: WatchBatch, delivery: DeliveryContext): unknown => {
    if (!pattern) return invoke({ subject: batch, delivery, keyParameters: undefined, typed: undefined });
    const events = batch.events.filter(({ key }) => pattern.match(key));
    if (events.length === 0) return undefined;
    const { revision, origin } = batch;
    return invoke({ subject: { revision, events, origin }, delivery, keyParameters: undefined, typed: undefined });
  };

/**
 * Calls the method only with a valid value. The delivery queue counts asynchronous validation as part of the call, so
 * the order of events is kept.
 */
function typedInvoker(invoke: InvokeHandler, parser: PayloadParser, { target: { pattern }, parameters }: HandlerPlan) {
  const needsPrevious = parameters.some(({ kind }) => kind === 'previous');
  return (event: WatchEvent, delivery: DeliveryContext): unknown => {
    const keyParameters = pattern?.match(event.key);
    if (pattern && !keyParameters) return undefined;
    const invokeWith = (value: object | undefined, previous: object | undefined): unknown =>
      invoke({ subject: event, delivery, keyParameters, typed: { value, previous } });
    const onParsed = (value: object | undefined | typeof SKIPPED): unknown => {
      if (value === SKIPPED) return undefined;
      if (!needsPrevious) return invokeWith(value, undefined);
      return parser.parsePrevious(event).then((previous) => invokeWith(value, previous));
    };
    const value = parser.parse(event);
    return value instanceof Promise ? value.then(onParsed) : onParsed(value);
  };
}

function parserOf(
  { name, options, valueType: type }: HandlerPlan,
  { log, counters, limits }: InvokerOptions,
): PayloadParser | undefined {
  const { onInvalid = 'skip', unknown = 'strip' } = options;
  return type && new PayloadParser({ name, type, onInvalid, unknown, log, counters, limits });
}

/** True if Nest has to run enhancers or resolve decorated parameters around the method. */
const needsNest = ({ method, parameters }: InvokedMethod, { application }: CallOptions): boolean =>
  application !== undefined || parameters.length > 0 || isEnhanced(declaredEnhancers(method));

function plainInvoke({ method }: HandlerPlan): InvokeHandler {
  const call = scopedMethodOf(method);
  return (invocation) => call(invocation.subject, positionalArguments(invocation));
}

function enhancedInvoke(
  { method, parameters }: InvokedMethod,
  parametersKey: string,
  { application, counters }: CallOptions,
): InvokeHandler {
  const { name } = method;
  const enhancers = new HandlerEnhancers(method, {
    parameters: parametersKey,
    pipes: parameters.flatMap(({ pipes }) => pipes),
    application,
    onDenied: () => {
      counters.denied += 1;
    },
  });
  if (isSingleton(method.wrapper) && !enhancers.isScoped) {
    const call = enhancers.bind(method.wrapper.instance);
    return (invocation) => call(new EtcdTriggerContext(name, invocation));
  }
  moduleRefOf(method.wrapper);
  return async (invocation) => {
    const call = await enhancers.bindIn(new HandlerScope(method.wrapper, invocation.subject));
    return call(new EtcdTriggerContext(name, invocation));
  };
}

/** The arguments of a method without decorated parameters. */
const positionalArguments = ({ subject, delivery, typed }: HandlerInvocation): unknown[] =>
  typed ? [typed.value, subject, delivery] : [subject, delivery];

/**
 * The metadata key under which Nest finds the parameters. A method without decorated parameters gets its positional
 * arguments as metadata, so that pipes apply to them.
 */
function parametersKeyOf({ parameters, method, options, valueType }: HandlerPlan): string {
  if (parameters.length > 0) return PARAMETERS;
  return positionalParametersKey(method, valueType ? 'typed' : options.batch === true ? 'batch' : 'event');
}

function positionalParametersKey({ type, method }: DecoratedMethod, shape: keyof typeof POSITIONAL_KINDS): string {
  const key = `nestjs-etcd-trigger:${shape}-parameters`;
  defineParameters(key, type, method, POSITIONAL_KINDS[shape]);
  return key;
}

const POSITIONAL_KINDS: Readonly<Record<'typed' | 'batch' | 'event' | 'tick', readonly HandlerParameterKind[]>> = {
  typed: ['payload', 'event', 'context'],
  batch: ['payload', 'context'],
  event: ['event', 'context'],
  tick: ['payload'],
};
