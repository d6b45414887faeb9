import {
  type Attributes,
  createNoopMeter,
  isSpanContextValid,
  type Meter,
  metrics,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from '@opentelemetry/api';
import { EtcdTriggerError } from '../etcd-trigger.errors.js';
import type { ClusterObserver } from '../watch/sharing/cluster-observer.js';
import type {
  DeliveryContext,
  ResyncNotice,
  WatchBatch,
  WatchEvent,
  WatchFailure,
  WatchHandler,
  WatchOrigin,
} from '../watch/watch-event.js';
import type { KeyRange } from '../backend/key-range.js';
import { isThenable } from '../timing/time-limit.js';
import { type ClusterFigures, observeFigures } from './cluster-figures.js';
import { type Counters, createCounters } from './instruments.js';

const SCOPE = 'nestjs-etcd-trigger';

/** Metrics and spans of one cluster, through the OpenTelemetry API: whatever SDK the application has registered receives them. Never a value. */
export class ClusterTelemetry implements ClusterObserver {
  readonly #counters: Counters;
  readonly #stop: () => void;

  private constructor(
    readonly cluster: string,
    readonly tracer: Tracer,
    meter: Meter,
    figures: () => ClusterFigures,
  ) {
    this.#counters = createCounters(meter);
    this.#stop = observeFigures(meter, cluster, figures);
  }

  /** `undefined` where no SDK is registered: then there is nobody to tell, and nothing is paid. */
  static of(cluster: string, figures: () => ClusterFigures): ClusterTelemetry | undefined {
    const meter = metrics.getMeter(SCOPE);
    if (meter === createNoopMeter() && !isTracing()) return undefined;
    return new ClusterTelemetry(cluster, trace.getTracer(SCOPE), meter, figures);
  }

  interrupted(range: KeyRange, cause: EtcdTriggerError): void {
    this.#counters.reconnects.add(1, { ...this.#about(range), 'error.type': cause.code });
  }

  resynced(range: KeyRange, reason: ResyncNotice['reason']): void {
    this.#counters.resyncs.add(1, { ...this.#about(range), 'etcd_trigger.reason': reason });
  }

  changed(range: KeyRange, count: number, origin: WatchOrigin): void {
    this.#counters.events.add(count, { ...this.#about(range), 'etcd_trigger.origin': origin });
  }

  gaveUp({ handler }: WatchFailure, range: KeyRange): void {
    this.#counters.handlerGivenUp.add(1, { ...this.#about(range), 'etcd_trigger.handler': handler });
  }

  stored(definition: string, { updates, rejections }: { readonly updates: number; readonly rejections: number }): void {
    const about = { 'etcd_trigger.cluster': this.cluster, 'etcd_trigger.definition': definition };
    if (updates > 0) this.#counters.storeUpdates.add(updates, about);
    if (rejections > 0) this.#counters.storeRejections.add(rejections, about);
  }

  observed(handler: WatchHandler, { name, range }: { readonly name: string; readonly range: KeyRange }): WatchHandler {
    const about = { ...this.#about(range), 'etcd_trigger.handler': name };
    if ('batch' in handler) {
      return {
        batch: (batch, context) => this.#call(about, batch, context, () => handler.batch(batch, context)),
      };
    }
    return { event: (event, context) => this.#call(about, event, context, () => handler.event(event, context)) };
  }

  /** The outcome of a write, and how long it took in seconds. */
  wrote(operation: string, outcome: string, seconds: number, error?: unknown): void {
    this.#counters.writeDuration.record(seconds, {
      'etcd_trigger.cluster': this.cluster,
      'db.system.name': 'etcd',
      'db.operation.name': operation,
      'etcd_trigger.outcome': outcome,
      ...errorType(error),
    });
  }

  close(): void {
    this.#stop();
  }

  #call(about: Attributes, subject: WatchEvent | WatchBatch, context: DeliveryContext, run: () => unknown): unknown {
    const { attempt } = context;
    if (attempt > 1) this.#counters.handlerRetries.add(1, about);
    const attributes = { ...about, ...identityOf(subject), 'etcd_trigger.attempt': attempt };
    const name = `process ${String(about['etcd_trigger.target'])}`;
    return this.tracer.startActiveSpan(name, { kind: SpanKind.CONSUMER, attributes }, (span) => {
      const begin = performance.now();
      const ended = (error?: unknown): void => {
        const seconds = (performance.now() - begin) / 1_000;
        this.#counters.handlerDuration.record(seconds, { ...about, ...errorType(error) });
        endSpan(span, error);
      };
      return settle(run, ended);
    });
  }

  #about(range: KeyRange): Attributes {
    return { 'etcd_trigger.cluster': this.cluster, 'etcd_trigger.target': range.toString() };
  }
}

/** Runs it, and says when and how it ended, now or later. */
function settle(run: () => unknown, ended: (error?: unknown) => void): unknown {
  let result: unknown;
  try {
    result = run();
  } catch (error) {
    ended(error ?? new Error());
    throw error;
  }
  if (!isThenable(result)) {
    ended();
    return result;
  }
  return result.then(
    (value) => {
      ended();
      return value;
    },
    (error: unknown) => {
      ended(error ?? new Error());
      throw error;
    },
  );
}

/** An error is told by its class: its message may quote a value. */
export function endSpan(span: Span, error: unknown): void {
  if (error !== undefined) {
    span.setStatus({ code: SpanStatusCode.ERROR });
    span.setAttributes(errorType(error));
  }
  span.end();
}

export const errorType = (error: unknown): Attributes => {
  if (error === undefined) return {};
  if (error instanceof EtcdTriggerError) return { 'error.type': error.code };
  return { 'error.type': error instanceof Error ? error.constructor.name : typeof error };
};

const identityOf = (subject: WatchEvent | WatchBatch): Attributes =>
  'events' in subject
    ? { 'etcd_trigger.revision': subject.revision, 'etcd_trigger.batch.size': subject.events.length }
    : {
        'etcd_trigger.revision': subject.revision,
        'etcd_trigger.key': subject.key,
        'etcd_trigger.event': subject.type,
      };

/** Only the spans of an SDK have an identity. This one is never ended, so nobody exports it. */
const isTracing = (): boolean =>
  isSpanContextValid(trace.getTracer(SCOPE).startSpan('is anybody there', { root: true }).spanContext());
