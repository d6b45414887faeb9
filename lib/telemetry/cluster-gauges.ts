import type { Meter } from '@opentelemetry/api';
import { createGauges } from './instruments.js';

/** The current gauge values of one cluster. */
export interface ClusterGaugeValues {
  readonly targets: readonly {
    readonly target: string;
    /** Milliseconds since the last message from etcd about this target. */
    readonly confirmedAgoMs: number;
  }[];
  readonly handlers: readonly {
    readonly name: string;
    readonly target: string;
    readonly pending: number;
    /** Revisions between the handler and its target. */
    readonly lag: number;
  }[];
  readonly definitions: readonly { readonly name: string; readonly keys: number; readonly invalid: number }[];
  /** `undefined` without the option `coordination`. */
  readonly locksHeld: number | undefined;
}

/**
 * Reads the values on every collection by the SDK.
 * @returns a function that stops the observation
 */
export function observeGauges(meter: Meter, cluster: string, read: () => ClusterGaugeValues): () => void {
  const gauges = createGauges(meter);
  const observables = Object.values(gauges);
  const clusterAttributes = { 'etcd_trigger.cluster': cluster };
  const observe: Parameters<Meter['addBatchObservableCallback']>[0] = (result) => {
    const { targets, handlers, definitions, locksHeld } = read();
    for (const { target, confirmedAgoMs } of targets) {
      const attributes = { ...clusterAttributes, 'etcd_trigger.target': target };
      result.observe(gauges.confirmationAge, confirmedAgoMs / 1_000, attributes);
    }
    for (const { name, target, pending, lag } of handlers) {
      const attributes = { ...clusterAttributes, 'etcd_trigger.target': target, 'etcd_trigger.handler': name };
      result.observe(gauges.handlerPending, pending, attributes);
      result.observe(gauges.lag, lag, attributes);
    }
    for (const { name, keys, invalid } of definitions) {
      const attributes = { ...clusterAttributes, 'etcd_trigger.definition': name };
      result.observe(gauges.storeKeys, keys, attributes);
      result.observe(gauges.storeInvalid, invalid, attributes);
    }
    if (locksHeld !== undefined) result.observe(gauges.locksHeld, locksHeld, clusterAttributes);
  };
  meter.addBatchObservableCallback(observe, observables);
  return () => {
    meter.removeBatchObservableCallback(observe, observables);
  };
}
