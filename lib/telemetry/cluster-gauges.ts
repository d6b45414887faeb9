import type { Meter } from '@opentelemetry/api';
import type { KeyRange } from '../backend/key-range.js';
import type { ClaimKind } from '../coordination/claim-keeper.js';
import { createGauges } from './instruments.js';
import type { TargetNames } from './target-names.js';

/** The current gauge values of one cluster. */
export interface ClusterGaugeValues {
  readonly targets: readonly {
    readonly range: KeyRange;
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
  readonly groups: readonly {
    readonly name: string;
    readonly partitions: number;
    readonly lag: number;
    readonly ageMs: number;
  }[];
  /** `undefined` without the option `coordination`. */
  readonly claims: readonly { readonly kind: ClaimKind; readonly isLost: boolean }[] | undefined;
}

export interface GaugesOptions {
  readonly cluster: string;
  readonly targetName: TargetNames;
  readonly read: () => ClusterGaugeValues;
}

/**
 * Reads the values on every collection by the SDK.
 * @returns a function that stops the observation
 */
export function observeGauges(meter: Meter, { cluster, targetName, read }: GaugesOptions): () => void {
  const gauges = createGauges(meter);
  const observables = Object.values(gauges);
  const clusterAttributes = { 'etcd_trigger.cluster': cluster };
  const observe: Parameters<Meter['addBatchObservableCallback']>[0] = (result) => {
    const { targets, handlers, definitions, claims, groups } = read();
    for (const [target, confirmedAgoMs] of oldestByName(targets, targetName)) {
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
    for (const { name, partitions, lag, ageMs } of groups) {
      const attributes = { ...clusterAttributes, 'etcd_trigger.group': name };
      result.observe(gauges.groupPartitions, partitions, attributes);
      result.observe(gauges.groupLag, lag, attributes);
      result.observe(gauges.groupAge, ageMs / 1_000, attributes);
    }
    for (const kind of claims ? CLAIM_KINDS : []) {
      const held = claims?.filter((claim) => claim.kind === kind && !claim.isLost).length ?? 0;
      result.observe(gauges.claimsHeld, held, { ...clusterAttributes, 'etcd_trigger.claim': kind });
    }
  };
  meter.addBatchObservableCallback(observe, observables);
  return () => {
    meter.removeBatchObservableCallback(observe, observables);
  };
}

/** The longest time since a confirmation by the name of the target, which several ranges may share. */
function oldestByName(targets: ClusterGaugeValues['targets'], targetName: TargetNames): Map<string, number> {
  const oldest = new Map<string, number>();
  for (const { range, confirmedAgoMs } of targets) {
    const name = targetName(range);
    oldest.set(name, Math.max(confirmedAgoMs, oldest.get(name) ?? 0));
  }
  return oldest;
}

const CLAIM_KINDS: readonly ClaimKind[] = ['election', 'cron', 'lock', 'group'];
