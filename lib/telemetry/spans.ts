import {
  type Attributes,
  context,
  type Span,
  type SpanOptions,
  SpanStatusCode,
  trace,
  type Tracer,
} from '@opentelemetry/api';
import { EtcdTriggerError } from '../etcd-trigger.errors.js';
import { errorClass, isA } from '../foreign/foreign-error.js';
import { adopted, isThenable } from '../foreign/thenable.js';
import { quietly } from './quietly.js';

/** Makes a call while a span is active. The call is made once, without a span if the SDK throws. */
export function inSpan<T>(tracer: Tracer, name: string, options: SpanOptions, call: (span: Span | undefined) => T): T {
  const span = quietly(() => tracer.startSpan(name, options));
  return asActive(span, () => call(span));
}

/** Makes a call while the span is active. */
export const asActive = <T>(span: Span | undefined, call: () => T): T =>
  span ? context.with(trace.setSpan(context.active(), span), call) : call();

/** Calls `onEnd` when the call returns, throws, or its promise settles. Passes on the result or error. */
export function runAndReport(run: () => unknown, onEnd: (error?: unknown) => void): unknown {
  let result: unknown;
  try {
    result = run();
  } catch (error) {
    onEnd(error ?? new Error());
    throw error;
  }
  if (!isThenable(result)) {
    onEnd();
    return result;
  }
  return adopted(result).then(
    (value) => {
      onEnd();
      return value;
    },
    (error: unknown) => {
      onEnd(error ?? new Error());
      throw error;
    },
  );
}

/** Reports an error by its type only: its message may quote a value. */
export function endSpan(span: Span | undefined, error: unknown, attributes: Attributes = {}): void {
  quietly(() => {
    span?.setAttributes(attributes);
    if (error !== undefined) span?.setStatus({ code: SpanStatusCode.ERROR }).setAttributes(errorType(error));
    span?.end();
  });
}

export const errorType = (error: unknown): Attributes => {
  if (error === undefined) return {};
  return { 'error.type': isA(error, EtcdTriggerError) ? error.code : errorClass(error) };
};
