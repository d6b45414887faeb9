import type { Meter } from '@opentelemetry/api';
import { createGauges } from './instruments.js';

/** What a cluster is like at the moment. */
export interface ClusterFigures {
  readonly targets: readonly {
    readonly target: string;
    /** Milliseconds since etcd last said something about it. */
    readonly confirmedAgoMs: number;
  }[];
  readonly handlers: readonly {
    readonly name: string;
    readonly target: string;
    readonly pending: number;
    /** Revisions that the handler is behind. */
    readonly lag: number;
  }[];
  readonly definitions: readonly { readonly name: string; readonly keys: number; readonly invalid: number }[];
}

/** Has the figures read whenever somebody collects. @returns what ends it */
export function observeFigures(meter: Meter, cluster: string, figures: () => ClusterFigures): () => void {
  const gauges = createGauges(meter);
  const all = Object.values(gauges);
  const observe: Parameters<Meter['addBatchObservableCallback']>[0] = (result) => {
    const { targets, handlers, definitions } = figures();
    for (const { target, confirmedAgoMs } of targets) {
      result.observe(gauges.confirmationAge, confirmedAgoMs / 1_000, { ...about, 'etcd_trigger.target': target });
    }
    for (const { name, target, pending, lag } of handlers) {
      const attributes = { ...about, 'etcd_trigger.target': target, 'etcd_trigger.handler': name };
      result.observe(gauges.handlerPending, pending, attributes);
      result.observe(gauges.lag, lag, attributes);
    }
    for (const { name, keys, invalid } of definitions) {
      const attributes = { ...about, 'etcd_trigger.definition': name };
      result.observe(gauges.storeKeys, keys, attributes);
      result.observe(gauges.storeInvalid, invalid, attributes);
    }
  };
  const about = { 'etcd_trigger.cluster': cluster };
  meter.addBatchObservableCallback(observe, all);
  return () => {
    meter.removeBatchObservableCallback(observe, all);
  };
}
