import { describeThrown } from '../foreign/foreign-error.js';

let hasWarned = false;

/**
 * Runs one step of the telemetry. An OpenTelemetry SDK that throws must not change the outcome of what is observed: its
 * first error is a warning of the process.
 */
export function quietly<T>(step: () => T): T | undefined {
  try {
    return step();
  } catch (error) {
    if (!hasWarned) process.emitWarning(`the telemetry of nestjs-etcd-trigger failed: ${describeThrown(error)}`);
    hasWarned = true;
    return undefined;
  }
}
