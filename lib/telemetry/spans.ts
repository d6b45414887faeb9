import { type Attributes, type Span, SpanStatusCode } from '@opentelemetry/api';
import { EtcdTriggerError } from '../etcd-trigger.errors.js';
import { errorClass, isA } from '../foreign/foreign-error.js';
import { adopted, isThenable } from '../foreign/thenable.js';

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
export function endSpan(span: Span, error: unknown): void {
  if (error !== undefined) {
    span.setStatus({ code: SpanStatusCode.ERROR });
    span.setAttributes(errorType(error));
  }
  span.end();
}

export const errorType = (error: unknown): Attributes => {
  if (error === undefined) return {};
  return { 'error.type': isA(error, EtcdTriggerError) ? error.code : errorClass(error) };
};
