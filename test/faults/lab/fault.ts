import type { Partition } from './peer-proxy.js';

/** `serving`: the link over which the listeners receive most bytes. */
export type LinkTarget = 'serving' | 'all';
export type MemberTarget = 'serving' | 'leader' | 'other';

/** Faults of the links between the application and the members. */
export type LinkFault =
  | { readonly kind: 'cut'; readonly at: LinkTarget; readonly reset: boolean }
  | { readonly kind: 'cut inside a message'; readonly at: LinkTarget; readonly bytes: number }
  | { readonly kind: 'refuse'; readonly at: LinkTarget }
  | { readonly kind: 'freeze'; readonly at: LinkTarget; readonly direction: 'both' | 'down' | 'up' }
  | { readonly kind: 'slow link'; readonly at: LinkTarget; readonly delayMs: number; readonly bytesPerSecond: number };

/** Faults of members. */
export type MemberFault =
  | { readonly kind: 'kill'; readonly at: MemberTarget }
  | { readonly kind: 'pause'; readonly at: MemberTarget }
  | { readonly kind: 'cut off from quorum'; readonly at: MemberTarget; readonly partition: Partition }
  | { readonly kind: 'move leader' }
  | { readonly kind: 'defragment'; readonly at: MemberTarget };

/** A scripted sequence of faults, for which the expected resyncs are known. */
export type Scenario =
  /** Every listener has received the compacted revisions: no resync is expected. */
  | { readonly kind: 'compaction while connected' }
  /** Every listener lacks compacted revisions: each needs exactly one resync. */
  | { readonly kind: 'compaction while cut off' }
  /** The only reachable member is behind the listeners, because it was stopped or its replication is slow. */
  | { readonly kind: 'lagging member'; readonly because: 'stopped' | 'slow replication' }
  /** The backlog is larger than one message, and the link is cut while the listeners catch up. */
  | { readonly kind: 'backlog'; readonly bytes: number }
  /** Writes of the application are applied, but their responses are lost. */
  | { readonly kind: 'lost responses' }
  /** Two members accept connections but do not respond. */
  | { readonly kind: 'black hole' }
  /**
   * A listener does not finish its call. `outlasts`: it is stuck longer than the library keeps its stream open.
   * `loses`: the revisions that it lacks are compacted.
   */
  | { readonly kind: 'stuck listener'; readonly outlasts: boolean; readonly loses: boolean }
  /** The store is restored from a backup. `grows`: its revision passes the old one before clients can connect. */
  | { readonly kind: 'restore'; readonly grows: boolean }
  | { readonly kind: 'wipe'; readonly grows: boolean }
  /** The application's token expires on every member. */
  | { readonly kind: 'token expiry' }
  /** The members reload another certificate. */
  | { readonly kind: 'certificate reload' }
  /** The application sends a write that exceeds etcd's limit. */
  | { readonly kind: 'oversized write' };

export type Fault = LinkFault | MemberFault | Scenario;

const SCENARIOS: readonly Fault['kind'][] = [
  'compaction while connected',
  'compaction while cut off',
  'lagging member',
  'backlog',
  'lost responses',
  'black hole',
  'stuck listener',
  'restore',
  'wipe',
  'token expiry',
  'certificate reload',
  'oversized write',
];

export const isScenario = (fault: Fault): fault is Scenario => SCENARIOS.includes(fault.kind);

/** True if the listeners can follow while the fault lasts. */
export const isSurvivable = (fault: Fault): boolean =>
  !('at' in fault) || fault.at !== 'all' || (fault.kind !== 'refuse' && fault.kind !== 'freeze');

/** Describes a fault in a schedule, for example `kill leader`. */
export function describeFault({ kind, ...details }: Fault): string {
  const words = Object.entries(details).map(([name, value]) =>
    name === 'at' ? String(value) : `${name}=${String(value)}`,
  );
  return [kind, ...words].join(' ');
}
