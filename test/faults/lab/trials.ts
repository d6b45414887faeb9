import type { Fault } from './fault.js';
import type { LabEnvironment } from './lab-cluster.js';

/** A run with a fixed course: these rounds in this order, with what chance makes of them. */
export interface Trial {
  readonly version: '3.4' | '3.5';
  readonly seed: number;
  readonly environment: LabEnvironment;
  readonly rounds: readonly (Fault | Fault['kind'])[];
}

/** The short run: together these meet every kind of fault, half of them on etcd 3.4 and half on 3.5. */
export const TRIALS = {
  'broken links and members': {
    version: '3.4',
    seed: 1,
    environment: 'plain',
    rounds: [
      'cut inside a message',
      'kill',
      'refuse',
      { kind: 'lagging member', because: 'told late' },
      'backlog',
      'move leader',
      'slow link',
    ],
  },
  'history that is lost': {
    version: '3.4',
    seed: 2,
    environment: 'plain',
    rounds: [
      'compaction while cut off',
      'compaction while connected',
      { kind: 'wipe', grows: false },
      { kind: 'restore', grows: true },
    ],
  },
  'silence and lost answers': {
    version: '3.5',
    seed: 3,
    environment: 'plain',
    rounds: [
      'lost answers',
      'cut off from quorum',
      'pause',
      { kind: 'stuck listener', outlasts: false, loses: true },
      'black hole',
      { kind: 'freeze', at: 'all', direction: 'both' },
      'defragment',
      'oversized write',
    ],
  },
  'tokens and certificates that expire': {
    version: '3.5',
    seed: 4,
    environment: 'secured',
    rounds: ['token expiry', 'certificate reload', 'kill'],
  },
  'a member that is awkward': {
    version: '3.5',
    seed: 5,
    environment: 'awkward',
    rounds: ['cut', 'cut inside a message'],
  },
} as const satisfies Readonly<Record<string, Trial>>;

export type TrialName = keyof typeof TRIALS;
