import type { PodProcess } from './pod-process.js';
import type { Pods } from './pods.js';

/** Rounds in which the owner of something fails. `npm run pods` sets 100. */
export const POD_ROUNDS = Number(process.env.POD_ROUNDS ?? 3);

/** A round takes about the time to live of the owner's lease, or twice that. */
export const POD_TIMEOUT_MS = 120_000 + POD_ROUNDS * 30_000;

/** Time to live of the lease of each process, and how much earlier an owner gives up. */
const TTL_MS = 5_000;
const MARGIN_MS = TTL_MS / 5;

/** The failures of an owner. `deaf`: its requests arrive, and no answers. `mute`: its requests do not arrive. */
export const POD_FAULTS = ['killed', 'stopped', 'deaf', 'mute', 'cut off'] as const;

export type PodFault = (typeof POD_FAULTS)[number];

/** Every kind occurs once before any kind occurs again. */
export function faultOf<const T>(round: number, faults: readonly [T, ...T[]]): T {
  return faults[round % faults.length] ?? faults[0];
}

/** Stops a process or its connections, which `resume` undoes. */
export function interrupt(pod: PodProcess, fault: PodFault): void {
  if (fault === 'deaf') pod.partition('down');
  else if (fault === 'mute') pod.partition('up');
  else if (fault === 'cut off') pod.partition('both');
  else pod.signal('SIGSTOP');
}

export function resume(pod: PodProcess): void {
  pod.signal('SIGCONT');
  pod.heal();
}

export async function fail(pod: PodProcess, fault: PodFault): Promise<void> {
  if (fault === 'killed') await pod.end('SIGKILL');
  else interrupt(pod, fault);
}

/** Resumes the process, or starts another one if it has ended. */
export async function repair(pods: Pods, pod: PodProcess): Promise<void> {
  if (pod.isEnded) await pods.start();
  else resume(pod);
}

/** Milliseconds within which another process takes over. */
export function takeOverLimitMs(fault: PodFault): number {
  // The last renewal that arrives was sent before the owner gave up.
  const lastRenewalMs = fault === 'deaf' ? TTL_MS - MARGIN_MS : 0;
  return lastRenewalMs + TTL_MS + 1_000;
}

/** Prints the figures of a long run. */
export function reportRounds(subject: string, figures: Readonly<Record<string, number>>): void {
  if (process.env.POD_ROUNDS === undefined) return;
  const line = Object.entries(figures).map(([name, figure]) => `${name}: ${figure}`);
  process.stdout.write(`${subject}, ${POD_ROUNDS} rounds: ${line.join('; ')}\n`);
}
