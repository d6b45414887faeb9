import type { ListedOwner } from '../../coordination/coordination-overview.js';
import { CronSchedule } from '../../coordination/cron-schedule.js';
import type { CoordinationSession } from '../coordination-session.js';
import { printTable } from '../style.js';
import { ExitCode, type Terminal } from '../terminal.js';
import { pretty } from './values.js';

/** The format of a list. */
export interface ListedAs {
  readonly json: boolean;
}

/** Prints the elections with their leaders. */
export async function elections(
  { overview }: CoordinationSession,
  as: ListedAs,
  terminal: Terminal,
): Promise<ExitCode> {
  const listed = await overview.elections();
  return printList(terminal, as, {
    what: 'elections',
    listed,
    heading: ['ELECTION', ...OWNER, 'CANDIDATES'],
    rows: listed.map(({ name, leader, candidates }) => [name, ...cellsOf(leader), `${candidates}`]),
  });
}

/** Prints the locks that are taken. */
export async function locks({ overview }: CoordinationSession, as: ListedAs, terminal: Terminal): Promise<ExitCode> {
  const listed = await overview.locks();
  return printList(terminal, as, {
    what: 'locks',
    listed,
    heading: ['LOCK', ...OWNER, 'WAITING'],
    rows: listed.map(({ name, owner, waiting }) => [name, ...cellsOf(owner), `${waiting}`]),
  });
}

/** Prints the cron jobs. The next tick is known only with an application, whose decorators have the expressions. */
export async function crons(
  { overview, crons: known }: CoordinationSession,
  as: ListedAs,
  terminal: Terminal,
): Promise<ExitCode> {
  const listed = (await overview.crons()).map((cron) => ({ ...cron, nextTick: nextTickOf(known?.get(cron.name)) }));
  return printList(terminal, as, {
    what: 'cron jobs',
    listed,
    property: 'crons',
    heading: ['CRON', ...OWNER, 'INSTANCES', 'LAST TICK', 'NEXT TICK'],
    rows: listed.map(({ name, owner, instances, lastTick, nextTick }) => [
      name,
      ...cellsOf(owner),
      `${instances}`,
      timeOf(lastTick),
      timeOf(nextTick),
    ]),
  });
}

/** Prints a list, or says that it is empty. */
export function printList(
  terminal: Terminal,
  { json }: ListedAs,
  list: {
    /** Name of the list, for people. */
    readonly what: string;
    readonly listed: readonly object[];
    /** @default what */
    readonly property?: string;
    readonly heading: readonly string[];
    readonly rows: readonly (readonly string[])[];
  },
): ExitCode {
  const { what, listed, property = what, heading, rows } = list;
  if (json) terminal.out(pretty({ [property]: listed }));
  else if (rows.length > 0) printTable(terminal, heading, rows);
  if (rows.length === 0) terminal.note(`there are no ${what}`);
  return ExitCode.OK;
}

/** `-` for none. */
export const timeOf = (time: Date | undefined): string => time?.toISOString() ?? '-';

const OWNER = ['OWNER', 'SINCE'] as const;

/** The pod, and the revision since which it is the owner. */
const cellsOf = (owner: ListedOwner | undefined): string[] =>
  owner ? [owner.pod || owner.instance || 'unreadable', `revision ${owner.since}`] : ['free', '-'];

function nextTickOf(
  cron: { readonly expression: string; readonly timeZone: string | undefined } | undefined,
): Date | undefined {
  const next = cron && new CronSchedule(cron.expression, cron.timeZone).next(Date.now());
  return next === undefined ? undefined : new Date(next);
}
