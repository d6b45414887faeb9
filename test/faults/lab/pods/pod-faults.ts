import { setTimeout as sleep } from 'node:timers/promises';
import type { MemberFault } from '../fault.js';
import type { Random } from '../random.js';
import type { Heal } from '../injector.js';
import type { PodFleet } from './pod-fleet.js';

/** Faults of the application's processes. */
export type PodFault =
  | { readonly kind: 'pod killed' | 'pod ended' | 'redeployment' }
  /** Stopped by SIGSTOP for longer than its lease lives. */
  | { readonly kind: 'pod stopped' }
  /** `up`: nothing reaches the members any more, while their answers still arrive. */
  | { readonly kind: 'pod partitioned'; readonly direction: 'both' | 'down' | 'up' }
  | { readonly kind: 'scaling'; readonly to: number };

export const POD_FAULTS: readonly PodFault['kind'][] = [
  'pod killed',
  'pod stopped',
  'pod partitioned',
  'redeployment',
  'scaling',
  'pod ended',
];

/** A fault of the processes, and in some rounds a fault of a member during it. */
export interface PodRound {
  readonly fault: PodFault;
  readonly during?: MemberFault;
}

/** Number of processes between the rounds. */
export const PODS = 3;
/** The lease of a process lives for 5 s after its last renewal. */
const LONGER_THAN_LEASE_MS = 8_000;

/** Yields rounds without end. Every kind occurs once before any kind occurs again. */
export function* drawPodRounds(random: Random, kinds = POD_FAULTS): Generator<PodRound, never> {
  for (;;) {
    for (const kind of kinds) {
      yield { fault: drawPodFault(kind, random), ...(random.percent(50) && { during: drawMemberFault(random) }) };
    }
  }
}

export const describePodRound = ({ fault: { kind, ...details }, during }: PodRound): string =>
  [kind, ...Object.values(details).map(String), ...(during ? ['and', ...Object.values(during)] : [])].join(' ');

/** Injects a fault. Resolves when the processes are as many as before, apart from the returned healing. */
export async function injectPodFault(fault: PodFault, fleet: PodFleet): Promise<Heal> {
  const pod = fleet.pick();
  switch (fault.kind) {
    case 'pod killed':
    case 'pod ended':
      await fleet.end(pod, fault.kind === 'pod killed' ? 'SIGKILL' : 'SIGTERM');
      return () => fleet.scaleTo(PODS);
    case 'pod stopped':
      pod.signal('SIGSTOP');
      await sleep(LONGER_THAN_LEASE_MS);
      return () => {
        pod.signal('SIGCONT');
      };
    case 'pod partitioned':
      pod.partition(fault.direction);
      await sleep(LONGER_THAN_LEASE_MS);
      return () => {
        pod.heal();
      };
    case 'redeployment':
      await fleet.redeploy();
      return () => undefined;
    case 'scaling':
      await fleet.scaleTo(fault.to);
      return () => fleet.scaleTo(PODS);
  }
}

function drawPodFault(kind: PodFault['kind'], random: Random): PodFault {
  if (kind === 'pod partitioned') return { kind, direction: random.pick(['both', 'down', 'up']) };
  if (kind === 'scaling') return { kind, to: random.pick([1, 10]) };
  return { kind };
}

function drawMemberFault(random: Random): MemberFault {
  const at = random.pick(['leader', 'other'] as const);
  const kind = random.pick(['kill', 'pause', 'cut off from quorum', 'move leader'] as const);
  if (kind === 'move leader') return { kind };
  if (kind === 'cut off from quorum') return { kind, at, partition: random.pick(['cut', 'silent']) };
  return { kind, at };
}
