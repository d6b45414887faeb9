import { context, metrics, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';

/** An OpenTelemetry SDK that collects everything. */
export class Observed {
  readonly #spans = new InMemorySpanExporter();
  readonly #metrics = new PrometheusExporter({ preventServerStart: true });

  constructor() {
    metrics.setGlobalMeterProvider(new MeterProvider({ readers: [this.#metrics] }));
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(this.#spans)] }));
    context.setGlobalContextManager(new AsyncLocalStorageContextManager());
  }

  /** All ended spans with their attributes and events. */
  get spans(): readonly object[] {
    return this.#spans
      .getFinishedSpans()
      .map(({ name, attributes, events, links, status }) => ({ name, attributes, events, links, status }));
  }

  /** All metrics in the format of a scrape. */
  async scrape(): Promise<string> {
    const { resourceMetrics } = await this.#metrics.collect();
    return new PrometheusSerializer().serialize(resourceMetrics);
  }

  stop(): void {
    metrics.disable();
    trace.disable();
    context.disable();
  }
}
