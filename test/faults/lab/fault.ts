import type { Separation } from './peer-gate.js';

/** `followed`: the one over which the listeners are given most. */
export type LinkTarget = 'followed' | 'all';
export type MemberTarget = 'followed' | 'leader' | 'other';

/** What can happen to the links between the application and the members. */
export type LinkFault =
  | { readonly kind: 'cut'; readonly at: LinkTarget; readonly reset: boolean }
  | { readonly kind: 'cut inside a message'; readonly at: LinkTarget; readonly bytes: number }
  | { readonly kind: 'refuse'; readonly at: LinkTarget }
  | { readonly kind: 'freeze'; readonly at: LinkTarget; readonly direction: 'both' | 'down' | 'up' }
  | { readonly kind: 'slow link'; readonly at: LinkTarget; readonly delayMs: number; readonly bytesPerSecond: number };

/** What can happen to members. */
export type MemberFault =
  | { readonly kind: 'kill'; readonly at: MemberTarget }
  | { readonly kind: 'pause'; readonly at: MemberTarget }
  | { readonly kind: 'cut off from quorum'; readonly at: MemberTarget; readonly separation: Separation }
  | { readonly kind: 'move leader' }
  | { readonly kind: 'defragment'; readonly at: MemberTarget };

/** What has a course of its own, so that it is known what it calls for. */
export type Ordeal =
  /** Every listener has what is compacted: nothing may be made of it. */
  | { readonly kind: 'compaction while connected' }
  /** Every listener lacks something that is compacted: each needs one resync. */
  | { readonly kind: 'compaction while cut off' }
  /** The only member left has not seen what the listeners have: it was stopped, or is told late. */
  | { readonly kind: 'lagging member'; readonly because: 'stopped' | 'told late' }
  /** More waits than one message can hold, and the link is cut while it is caught up with. */
  | { readonly kind: 'backlog'; readonly bytes: number }
  /** Writes of the application are applied, and their answers are lost. */
  | { readonly kind: 'lost answers' }
  /** Two members take connections and say nothing. */
  | { readonly kind: 'black hole' }
  /** A listener does not take what it is given; `outlasts`: longer than a stream is kept waiting for it; `loses`: what it lacks is compacted. */
  | { readonly kind: 'stuck listener'; readonly outlasts: boolean; readonly loses: boolean }
  /** The store goes back to a copy of its data; `grows`: past where it was, before anybody sees it. */
  | { readonly kind: 'restore'; readonly grows: boolean }
  | { readonly kind: 'wipe'; readonly grows: boolean }
  /** The application's token is no longer known to anybody. */
  | { readonly kind: 'token expiry' }
  /** The members have another certificate from now on. */
  | { readonly kind: 'certificate reload' }
  /** The application writes more than etcd takes. */
  | { readonly kind: 'oversized write' };

export type Fault = LinkFault | MemberFault | Ordeal;

const ORDEALS: readonly Fault['kind'][] = [
  'compaction while connected',
  'compaction while cut off',
  'lagging member',
  'backlog',
  'lost answers',
  'black hole',
  'stuck listener',
  'restore',
  'wipe',
  'token expiry',
  'certificate reload',
  'oversized write',
];

export const isOrdeal = (fault: Fault): fault is Ordeal => ORDEALS.includes(fault.kind);

/** Whether the listeners can follow while it lasts. */
export const isSurvivable = (fault: Fault): boolean =>
  !('at' in fault) || fault.at !== 'all' || (fault.kind !== 'refuse' && fault.kind !== 'freeze');

/** As one reads it in a schedule: `kill leader`. */
export function describeFault({ kind, ...details }: Fault): string {
  const words = Object.entries(details).map(([name, value]) =>
    name === 'at' ? String(value) : `${name}=${String(value)}`,
  );
  return [kind, ...words].join(' ');
}
