import type { IncomingMessage, ServerResponse } from 'node:http';
import { metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';

/** Registers the metrics SDK and returns a request handler for scrapes. Must run before Nest creates the providers. */
export function startMetrics(): (request: IncomingMessage, response: ServerResponse) => void {
  const exporter = new PrometheusExporter({ preventServerStart: true });
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [exporter] }));
  return (request, response) => {
    exporter.getMetricsRequestHandler(request, response);
  };
}
