import { BLACK_HOLES } from './black-holes.js';
import { CUT_LINKS, FROZEN_LINKS } from './broken-links.js';
import { CUT_AGAIN } from './cut-again.js';
import { KILLED_MEMBERS } from './killed-members.js';
import { LOST_QUORUM } from './lost-quorum.js';
import type { RecoveryScenario } from './recovery-scenario.js';

/** All scenarios in the order of the table. */
export const RECOVERY_SCENARIOS: readonly RecoveryScenario[] = [
  ...CUT_LINKS,
  ...CUT_AGAIN,
  ...KILLED_MEMBERS,
  ...LOST_QUORUM,
  ...FROZEN_LINKS,
  ...BLACK_HOLES,
];
