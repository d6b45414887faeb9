import { describe, expect, it } from 'vitest';
import { BLACK_HOLES } from './recovery/black-holes.js';
import { FROZEN_LINKS } from './recovery/broken-links.js';
import { KILLED_MEMBERS } from './recovery/killed-members.js';
import { LOST_QUORUM } from './recovery/lost-quorum.js';
import { measureRounds } from './recovery/recovery-scenario.js';

/** Additional time for a busy machine. `npm run recovery` measures on an idle one. */
const BUSY_MACHINE_MS = 10_000;

describe('a watch follows again within its limit, and misses nothing', () => {
  it.each(KILLED_MEMBERS)('after: $fault', async (scenario) => {
    const times = await measureRounds(scenario, { rounds: 2 });

    expect(times.filter((time) => time > scenario.limitMs + BUSY_MACHINE_MS)).toEqual([]);
  });

  it.concurrent.each([...LOST_QUORUM.slice(0, 1), ...FROZEN_LINKS.slice(0, 1), ...BLACK_HOLES])(
    'after: $fault',
    async (scenario) => {
      const times = await measureRounds(scenario, { rounds: 2, followers: Math.min(2, scenario.followers) });

      expect(times.filter((time) => time > scenario.limitMs + BUSY_MACHINE_MS)).toEqual([]);
    },
  );
});
