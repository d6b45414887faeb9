import type { IncomingMessage, ServerResponse } from 'node:http';
import { metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';

/** Registers the SDK, before Nest builds anything that measures; returns what answers a scrape. */
export function startMetrics(): (request: IncomingMessage, response: ServerResponse) => void {
  const exporter = new PrometheusExporter({ preventServerStart: true });
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [exporter] }));
  return (request, response) => {
    exporter.getMetricsRequestHandler(request, response);
  };
}
