import {
  describeFault,
  type Fault,
  type LinkFault,
  type LinkTarget,
  type MemberFault,
  type Scenario,
} from './fault.js';
import type { Random } from './random.js';

/** Faults between two checks: a single scenario, or overlapping faults. */
export interface Round {
  readonly faults: readonly Fault[];
  /** Number of writes during the faults. */
  readonly writes: number;
  /**
   * True if the faults last until the listeners have recovered; otherwise they may end before anything has detected
   * them.
   */
  readonly awaitsRecovery: boolean;
}

/** Kinds of faults that a soak draws from. */
const KINDS: readonly Fault['kind'][] = [
  'kill',
  'cut inside a message',
  'compaction while cut off',
  'cut off from quorum',
  'lost responses',
  'backlog',
  'pause',
  'cut',
  'stuck listener',
  'refuse',
  'lagging member',
  'move leader',
  'restore',
  'freeze',
  'compaction while connected',
  'black hole',
  'defragment',
  'slow link',
  'oversized write',
  'wipe',
];

/** Yields rounds without end. Every kind occurs once, in random order, before any kind occurs again. */
export function* drawRounds(random: Random, kinds: readonly Fault['kind'][] = KINDS): Generator<Round, never> {
  for (;;) {
    for (const kind of shuffled(kinds, random)) yield drawRound(kind, random);
  }
}

/** Returns one round for each fault, in this order. The details of faults given by name are drawn at random. */
export const roundsOf = (faults: readonly (Fault | Fault['kind'])[], random: Random): Round[] =>
  faults.map((fault) => {
    const round = drawRound(typeof fault === 'string' ? fault : fault.kind, random);
    return typeof fault === 'string' ? round : { ...round, faults: [fault] };
  });

export const describeRound = ({ faults, writes, awaitsRecovery }: Round): string =>
  `${faults.map(describeFault).join(' + ')}; ${writes} writes${awaitsRecovery ? ', recovers during the fault' : ''}`;

function drawRound(kind: Fault['kind'], random: Random): Round {
  const fault = drawFault(kind, random);
  const isLink = LINK_KINDS.includes(kind);
  const isMember = MEMBER_KINDS.includes(kind);
  const others: Fault[] = [];
  // Faults often overlap: another link fault occurs during the recovery from the first one.
  if ((isLink || isMember) && random.percent(50)) {
    others.push(drawFault(random.pick<LinkFault['kind']>(['cut', 'cut inside a message', 'slow link']), random));
  }
  return {
    faults: [fault, ...others],
    writes: random.int(40, 150),
    awaitsRecovery: !SILENT_KINDS.includes(kind) || random.percent(30),
  };
}

/** Detected only after a timeout, so most rounds do not wait for it. */
const SILENT_KINDS: readonly Fault['kind'][] = ['freeze', 'pause'];
const LINK_KINDS: readonly Fault['kind'][] = ['cut', 'cut inside a message', 'refuse', 'freeze', 'slow link'];
const MEMBER_KINDS: readonly Fault['kind'][] = ['kill', 'pause', 'cut off from quorum', 'move leader', 'defragment'];

function drawFault(kind: Fault['kind'], random: Random): Fault {
  switch (kind) {
    case 'cut':
    case 'cut inside a message':
    case 'refuse':
    case 'freeze':
    case 'slow link':
      return drawLinkFault(kind, random);
    case 'kill':
    case 'pause':
    case 'cut off from quorum':
    case 'move leader':
    case 'defragment':
      return drawMemberFault(kind, random);
    default:
      return drawScenario(kind, random);
  }
}

function drawLinkFault(kind: LinkFault['kind'], random: Random): LinkFault {
  const at: LinkTarget = random.pick(['serving', 'all']);
  switch (kind) {
    case 'cut':
      return { kind, at, reset: random.percent(50) };
    case 'cut inside a message':
      return {
        kind,
        at,
        bytes: random.pick([random.int(1, 200), random.int(200, 20_000), random.int(20_000, 400_000)]),
      };
    case 'refuse':
      return { kind, at };
    case 'freeze':
      return { kind, at, direction: random.pick(['both', 'down', 'up']) };
    case 'slow link':
      // The writers are faster than most of these links. A slower one would need longer for the missed events than a
      // round may last.
      return { kind, at, delayMs: random.int(0, 40), bytesPerSecond: random.int(500_000, 2_000_000) };
  }
}

function drawMemberFault(kind: MemberFault['kind'], random: Random): MemberFault {
  const at = random.pick(['serving', 'leader', 'other'] as const);
  if (kind === 'move leader') return { kind };
  if (kind === 'cut off from quorum') return { kind, at, partition: random.pick(['cut', 'silent']) };
  return { kind, at };
}

function drawScenario(kind: Scenario['kind'], random: Random): Scenario {
  if (kind === 'backlog') return { kind, bytes: random.int(1, 9_000_000) };
  if (kind === 'restore' || kind === 'wipe') return { kind, grows: random.percent(60) };
  if (kind === 'lagging member') return { kind, because: random.pick(['stopped', 'slow replication']) };
  if (kind === 'stuck listener') return { kind, outlasts: random.percent(50), loses: random.percent(50) };
  return { kind };
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const left = [...items];
  return items.map(() => left.splice(random.int(0, left.length - 1), 1)[0] as T);
}
