import type { DeliveryContext, WatchBatch, WatchEvent, WatchHandler } from '../watch/watch-event.js';
import type { InstanceLog } from '../etcd-trigger.log.js';
import { HandlerInvocation } from './etcd-trigger.context.js';
import type { Method } from './handler.explorer.js';
import type { HandlerPlan, HandlerCounters } from './handler.plan.js';
import { isSingleton } from './enhancers/handler.scope.js';
import type { KeyPattern } from './key-pattern.js';
import { callerOf, type InvokeHandlerOptions, type InvokeHandler, isPlain } from './handler.caller.js';
import { PayloadParser, SKIPPED } from './payload.parser.js';

export interface InvokerOptions extends InvokeHandlerOptions {
  readonly log: InstanceLog;
  readonly counters: HandlerCounters;
}

/** What the watcher calls for a handler. A method that wants nothing but the event is called directly, without anything being allocated. */
export function invokerOf(plan: HandlerPlan, options: InvokerOptions): WatchHandler {
  const { method, target, options: watchKey } = plan;
  const { pattern } = target;
  if (watchKey.batch === true) return { batch: batchInvoker(callerOf(plan, options), pattern) };
  const parser = parserOf(plan, options);
  if (parser) return { event: typedInvoker(callerOf(plan, options), parser, plan) };
  if (pattern || !isPlain(plan, options) || !isSingleton(method.wrapper)) {
    return { event: eventInvoker(callerOf(plan, options), pattern) };
  }
  const instance = method.wrapper.instance as Record<string, Method>;
  return { event: (event, delivery) => instance[method.method]?.(event, delivery) };
}

const eventInvoker =
  (call: InvokeHandler, pattern: KeyPattern | undefined) =>
  (event: WatchEvent, delivery: DeliveryContext): unknown => {
    const keyParameters = pattern?.match(event.key);
    if (pattern && !keyParameters) return undefined;
    return call(new HandlerInvocation(event, delivery, keyParameters));
  };

/** Those events of the batch that are meant. */
const batchInvoker =
  (call: InvokeHandler, pattern: KeyPattern | undefined) =>
  (batch: WatchBatch, delivery: DeliveryContext): unknown => {
    if (!pattern) return call(new HandlerInvocation(batch, delivery, undefined));
    const events = batch.events.filter(({ key }) => pattern.match(key));
    if (events.length === 0) return undefined;
    const { revision, origin } = batch;
    return call(new HandlerInvocation({ revision, events, origin }, delivery, undefined));
  };

/** The method is called with a value or not at all. Its call has begun, for the queue, while validators are asynchronous: the order stays. */
function typedInvoker(call: InvokeHandler, parser: PayloadParser, { target: { pattern }, parameters }: HandlerPlan) {
  const wantsPrevious = parameters.some(({ kind }) => kind === 'previous');
  return (event: WatchEvent, delivery: DeliveryContext): unknown => {
    const keyParameters = pattern?.match(event.key);
    if (pattern && !keyParameters) return undefined;
    const callWith = (value: object | undefined, previous: object | undefined): unknown =>
      call(new HandlerInvocation(event, delivery, keyParameters, { value, previous }));
    const go = (value: object | undefined | typeof SKIPPED): unknown => {
      if (value === SKIPPED) return undefined;
      if (!wantsPrevious) return callWith(value, undefined);
      return parser.parsePrevious(event).then((previous) => callWith(value, previous));
    };
    const value = parser.parse(event);
    return value instanceof Promise ? value.then(go) : go(value);
  };
}

function parserOf({ name, options }: HandlerPlan, { log, counters }: InvokerOptions): PayloadParser | undefined {
  const { type, onInvalid = 'skip', unknown = 'strip' } = options;
  return type && new PayloadParser({ name, type, onInvalid, unknown, log, counters });
}
