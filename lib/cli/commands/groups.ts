import { counted } from '../../counted.js';
import { checkName } from '../../coordination/coordination-keys.js';
import type { ListedGroup } from '../../coordination/coordination-overview.js';
import { parkedEventOf } from '../../coordination/groups/parked-event.js';
import { quoted } from '../../foreign/foreign-text.js';
import { CliError } from '../cli.error.js';
import type { CoordinationSession } from '../coordination-session.js';
import { ExitCode, type Terminal } from '../terminal.js';
import { type ListedAs, printList, timeOf } from './coordination.js';
import { pretty } from './values.js';

/** Prints the handler groups with the owners of their partitions. */
export async function groups({ overview }: CoordinationSession, as: ListedAs, terminal: Terminal): Promise<ExitCode> {
  const listed = await overview.groups();
  return printList(terminal, as, {
    what: 'groups',
    listed: listed.map((group) => ({ ...group, owners: Object.fromEntries(group.owners) })),
    heading: ['GROUP', 'TARGET', 'OWNED', 'OWNERS', 'INSTANCES', 'HANDLED UP TO', 'STORED', 'PARKED'],
    rows: listed.map(rowOf),
  });
}

/** Prints the parked events of a group, oldest first, without their values. */
export async function parked(
  session: CoordinationSession,
  name: string,
  as: ListedAs,
  terminal: Terminal,
): Promise<ExitCode> {
  await checkGroup(session, name);
  const events = (await session.groups.parked(name)).map(({ record }) => parkedEventOf(record));
  return printList(terminal, as, {
    what: 'parked events',
    listed: events,
    property: 'parked',
    heading: ['REVISION', 'TYPE', 'KEY', 'ATTEMPTS', 'ERROR', 'PARKED', 'REDRIVEN'],
    rows: events.map(({ revision, type, key, attempts, error, parkedAt, isRedriven }) => [
      `${revision}`,
      type,
      key,
      `${attempts}`,
      error,
      timeOf(parkedAt),
      isRedriven ? 'yes' : 'no',
    ]),
  });
}

/** Lets the owners of the partitions handle the parked events again. */
export async function redrive(
  session: CoordinationSession,
  name: string,
  { json }: ListedAs,
  terminal: Terminal,
): Promise<ExitCode> {
  await checkGroup(session, name);
  const count = await session.groups.redrive(name, (done, all) => {
    terminal.progress(`${done} of ${counted(all, 'event')}`);
  });
  terminal.progress('');
  const sentence = `${counted(count, 'parked event')} of the group ${quoted(name)} will be handled again`;
  terminal.out(json ? pretty({ group: name, redriven: count }) : sentence);
  return ExitCode.OK;
}

/** Changes the number of partitions of a group that no instance works on. */
export async function repartition(
  session: CoordinationSession,
  name: string,
  partitions: number,
  { json }: ListedAs,
  terminal: Terminal,
): Promise<ExitCode> {
  await checkGroup(session, name);
  await session.groups.repartition(name, partitions);
  const [group, count] = [quoted(name), counted(partitions, 'partition')];
  const sentence = `the group ${group} has ${count}: start the instances with this number`;
  terminal.out(json ? pretty({ group: name, partitions }) : sentence);
  return ExitCode.OK;
}

/** Lets a group begin again. Its target and its number of partitions stay. */
export async function reset(
  session: CoordinationSession,
  name: string,
  from: 'existing' | 'now',
  { json }: ListedAs,
  terminal: Terminal,
): Promise<ExitCode> {
  await checkGroup(session, name);
  await session.groups.reset(name, from, undefined);
  const start = from === 'now' ? 'with the next change' : 'with the existing keys';
  terminal.out(json ? pretty({ group: name, from }) : `the group ${quoted(name)} begins again ${start}`);
  return ExitCode.OK;
}

/** @throws CliError if etcd has no such group */
async function checkGroup({ groups: administration }: CoordinationSession, name: string): Promise<void> {
  checkName('the name of a group', name);
  if (await administration.exists(name)) return;
  throw new CliError(`etcd has no group ${quoted(name)}: no instance has used it yet`, ExitCode.PROBLEM);
}

function rowOf({
  name,
  target,
  partitions,
  owners,
  instances,
  revision,
  storedAt,
  parked: events,
}: ListedGroup): string[] {
  const pods = [...new Set(Array.from(owners.values(), ({ pod, instance }) => pod || instance || 'unreadable'))];
  return [
    name,
    target ?? 'unreadable',
    `${owners.size} of ${partitions ?? '?'}`,
    pods.sort().join(', ') || 'free',
    `${instances}`,
    revision === undefined ? '-' : `revision ${revision}`,
    timeOf(storedAt),
    `${events}`,
  ];
}
