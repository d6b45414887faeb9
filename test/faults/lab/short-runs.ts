import type { Fault } from './fault.js';
import type { LabEnvironment } from './lab-cluster.js';

/** A run with fixed rounds and a fixed seed. The seed determines the details of each round. */
export interface ShortRun {
  readonly version: '3.4' | '3.5';
  readonly seed: number;
  readonly environment: LabEnvironment;
  readonly rounds: readonly (Fault | Fault['kind'])[];
}

/** Together, these runs contain every kind of fault, half of them on etcd 3.4 and half on 3.5. */
export const SHORT_RUNS = {
  'broken links and members': {
    version: '3.4',
    seed: 1,
    environment: 'plain',
    rounds: [
      'cut inside a message',
      'kill',
      'refuse',
      { kind: 'lagging member', because: 'slow replication' },
      'backlog',
      'move leader',
      'slow link',
    ],
  },
  'lost history': {
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
  'silent links and lost responses': {
    version: '3.5',
    seed: 3,
    environment: 'plain',
    rounds: [
      'lost responses',
      'cut off from quorum',
      'pause',
      { kind: 'stuck listener', outlasts: false, loses: true },
      'black hole',
      { kind: 'freeze', at: 'all', direction: 'both' },
      'defragment',
      'oversized write',
    ],
  },
  'expired tokens and certificates': {
    version: '3.5',
    seed: 4,
    environment: 'secured',
    rounds: ['token expiry', 'certificate reload', 'kill'],
  },
  'protocol edge cases': {
    version: '3.5',
    seed: 5,
    environment: 'edge cases',
    rounds: ['cut', 'cut inside a message'],
  },
} as const satisfies Readonly<Record<string, ShortRun>>;

export type ShortRunName = keyof typeof SHORT_RUNS;
