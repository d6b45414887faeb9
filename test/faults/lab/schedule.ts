import { describeFault, type Fault, type LinkFault, type LinkTarget, type MemberFault, type Ordeal } from './fault.js';
import type { Random } from './random.js';

/** What happens between two times at which everything is compared: an ordeal alone, or faults that overlap. */
export interface Round {
  readonly faults: readonly Fault[];
  /** Writes while they last. */
  readonly writes: number;
  /** It is waited until the listeners follow in spite of it; otherwise it ends before anybody may have noticed. */
  readonly endures: boolean;
}

/** How one draws a round, by what is in it. */
const KINDS: readonly Fault['kind'][] = [
  'kill',
  'cut inside a message',
  'compaction while cut off',
  'cut off from quorum',
  'lost answers',
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

/** Rounds without end. Every kind comes once before one comes again, in an order of chance. */
export function* drawRounds(random: Random, kinds: readonly Fault['kind'][] = KINDS): Generator<Round, never> {
  for (;;) {
    for (const kind of shuffled(kinds, random)) yield drawRound(kind, random);
  }
}

/** Rounds of these faults in this order; of those that are only named, chance makes the rest. */
export const roundsOf = (faults: readonly (Fault | Fault['kind'])[], random: Random): Round[] =>
  faults.map((fault) => {
    const round = drawRound(typeof fault === 'string' ? fault : fault.kind, random);
    return typeof fault === 'string' ? round : { ...round, faults: [fault] };
  });

export const describeRound = ({ faults, writes, endures }: Round): string =>
  `${faults.map(describeFault).join(' + ')}; ${writes} writes${endures ? ', endured' : ''}`;

function drawRound(kind: Fault['kind'], random: Random): Round {
  const fault = drawFault(kind, random);
  const isLink = LINK_KINDS.includes(kind);
  const isMember = MEMBER_KINDS.includes(kind);
  const others: Fault[] = [];
  // A fault seldom comes alone: another link fault strikes while the first one is being recovered from.
  if ((isLink || isMember) && random.percent(50)) {
    others.push(drawFault(random.pick<LinkFault['kind']>(['cut', 'cut inside a message', 'slow link']), random));
  }
  return {
    faults: [fault, ...others],
    writes: random.int(40, 150),
    endures: !SILENT_KINDS.includes(kind) || random.percent(30),
  };
}

/** Noticed only after a while: seldom is it waited for. */
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
      return drawOrdeal(kind, random);
  }
}

function drawLinkFault(kind: LinkFault['kind'], random: Random): LinkFault {
  const at: LinkTarget = random.pick(['followed', 'all']);
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
      return { kind, at, delayMs: random.int(0, 40), bytesPerSecond: random.int(200_000, 2_000_000) };
  }
}

function drawMemberFault(kind: MemberFault['kind'], random: Random): MemberFault {
  const at = random.pick(['followed', 'leader', 'other'] as const);
  if (kind === 'move leader') return { kind };
  if (kind === 'cut off from quorum') return { kind, at, separation: random.pick(['cut', 'silent']) };
  return { kind, at };
}

function drawOrdeal(kind: Ordeal['kind'], random: Random): Ordeal {
  if (kind === 'backlog') return { kind, bytes: random.int(1, 9_000_000) };
  if (kind === 'restore' || kind === 'wipe') return { kind, grows: random.percent(60) };
  if (kind === 'lagging member') return { kind, because: random.pick(['stopped', 'told late']) };
  if (kind === 'stuck listener') return { kind, outlasts: random.percent(50), loses: random.percent(50) };
  return { kind };
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const left = [...items];
  return items.map(() => left.splice(random.int(0, left.length - 1), 1)[0] as T);
}
