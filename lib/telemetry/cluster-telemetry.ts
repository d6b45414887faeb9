import {
  type Attributes,
  createNoopMeter,
  isSpanContextValid,
  type Meter,
  metrics,
  SpanKind,
  trace,
  type Tracer,
} from '@opentelemetry/api';
import type { EtcdTriggerError } from '../etcd-trigger.errors.js';
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
import { type ClusterGaugeValues, observeGauges } from './cluster-gauges.js';
import { CoordinationTelemetry } from './coordination-telemetry.js';
import { type Counters, createCounters } from './instruments.js';
import { endSpan, errorType, inSpan, runAndReport } from './spans.js';
import type { TargetNames } from './target-names.js';

const SCOPE = 'nestjs-etcd-trigger';

/**
 * Reports metrics and spans of one cluster to the OpenTelemetry SDK that the application has registered. No attribute
 * contains a value from etcd.
 */
export class ClusterTelemetry implements ClusterObserver {
  readonly coordination: CoordinationTelemetry;
  readonly #counters: Counters;
  readonly #stop: () => void;

  private constructor(
    readonly cluster: string,
    readonly tracer: Tracer,
    meter: Meter,
    readonly targetName: TargetNames,
    gaugeValues: () => ClusterGaugeValues,
  ) {
    this.#counters = createCounters(meter);
    this.coordination = new CoordinationTelemetry(cluster, tracer, this.#counters);
    this.#stop = observeGauges(meter, { cluster, targetName, read: gaugeValues });
  }

  /** Returns `undefined` if no SDK is registered, so that telemetry costs nothing then. */
  static of(
    cluster: string,
    targetName: TargetNames,
    gaugeValues: () => ClusterGaugeValues,
  ): ClusterTelemetry | undefined {
    const meter = metrics.getMeter(SCOPE);
    if (meter === createNoopMeter() && !isTracing()) return undefined;
    return new ClusterTelemetry(cluster, trace.getTracer(SCOPE), meter, targetName, gaugeValues);
  }

  interrupted(range: KeyRange, cause: EtcdTriggerError): void {
    this.#counters.reconnects.add(1, { ...this.#attributesOf(range), 'error.type': cause.code });
  }

  resynced(range: KeyRange, reason: ResyncNotice['reason']): void {
    this.#counters.resyncs.add(1, { ...this.#attributesOf(range), 'etcd_trigger.reason': reason });
  }

  changed(range: KeyRange, count: number, origin: WatchOrigin): void {
    this.#counters.events.add(count, { ...this.#attributesOf(range), 'etcd_trigger.origin': origin });
  }

  gaveUp({ handler }: WatchFailure, range: KeyRange): void {
    this.#counters.handlerGivenUp.add(1, { ...this.#attributesOf(range), 'etcd_trigger.handler': handler });
  }

  listenerFailed(kind: string, error: unknown): void {
    const attributes = { 'etcd_trigger.cluster': this.cluster, 'etcd_trigger.listener': kind };
    this.#counters.listenerFailures.add(1, { ...attributes, ...errorType(error) });
  }

  deliveryFailed(subject: string): void {
    const attributes = { 'etcd_trigger.cluster': this.cluster, 'etcd_trigger.target': subject };
    this.#counters.deliveryFailures.add(1, attributes);
  }

  stored(definition: string, { updates, rejections }: { readonly updates: number; readonly rejections: number }): void {
    const attributes = { 'etcd_trigger.cluster': this.cluster, 'etcd_trigger.definition': definition };
    if (updates > 0) this.#counters.storeUpdates.add(updates, attributes);
    if (rejections > 0) this.#counters.storeRejections.add(rejections, attributes);
  }

  observed(handler: WatchHandler, { name, range }: { readonly name: string; readonly range: KeyRange }): WatchHandler {
    const attributes = { ...this.#attributesOf(range), 'etcd_trigger.handler': name };
    if ('batch' in handler) {
      return {
        batch: (batch, context) => this.#call(attributes, batch, context, () => handler.batch(batch, context)),
      };
    }
    return { event: (event, context) => this.#call(attributes, event, context, () => handler.event(event, context)) };
  }

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

  #call(
    handlerAttributes: Attributes,
    subject: WatchEvent | WatchBatch,
    context: DeliveryContext,
    run: () => unknown,
  ): unknown {
    const { attempt } = context;
    if (attempt > 1) this.#counters.handlerRetries.add(1, handlerAttributes);
    const attributes = { ...handlerAttributes, ...subjectAttributes(subject), 'etcd_trigger.attempt': attempt };
    const name = `process ${String(handlerAttributes['etcd_trigger.target'])}`;
    return inSpan(this.tracer, name, { kind: SpanKind.CONSUMER, attributes }, (span) => {
      const startedAt = performance.now();
      const onEnd = (error?: unknown): void => {
        const seconds = (performance.now() - startedAt) / 1_000;
        this.#counters.handlerDuration.record(seconds, { ...handlerAttributes, ...errorType(error) });
        endSpan(span, error);
      };
      return runAndReport(run, onEnd);
    });
  }

  #attributesOf(range: KeyRange): Attributes {
    return { 'etcd_trigger.cluster': this.cluster, 'etcd_trigger.target': this.targetName(range) };
  }
}

const subjectAttributes = (subject: WatchEvent | WatchBatch): Attributes =>
  'events' in subject
    ? { 'etcd_trigger.revision': subject.revision, 'etcd_trigger.batch.size': subject.events.length }
    : {
        'etcd_trigger.revision': subject.revision,
        'etcd_trigger.key': subject.key,
        'etcd_trigger.event': subject.type,
      };

/** Only an SDK creates spans with a valid context. The probe span is never ended, so it is not exported. */
const isTracing = (): boolean =>
  isSpanContextValid(trace.getTracer(SCOPE).startSpan('probe', { root: true }).spanContext());
