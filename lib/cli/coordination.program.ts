import { type Command, Option } from 'commander';
import { MAX_PARTITIONS } from '../coordination/groups/group-options.js';
import { checkInteger } from '../option-checks.js';
import { crons, elections, type ListedAs, locks } from './commands/coordination.js';
import { groups, parked, redrive, repartition, reset } from './commands/groups.js';
import type { ConnectionFlags } from './connection.js';
import { integer } from './flags.js';
import { type CoordinationSession, inCoordination } from './coordination-session.js';
import type { ExitCode, Terminal } from './terminal.js';

/** Adds a command with the flags that all have. `parent`: the command whose subcommand it is. */
export type AddCommand = (usage: string, description: string, example: string, parent?: Command) => Command;

type Flags = ConnectionFlags & ListedAs;

/** Adds the commands about the work that the instances of an application share. */
export function addCoordinationCommands(
  command: AddCommand,
  terminal: Terminal,
  ended: (code: ExitCode) => void,
): void {
  const run = async (flags: Flags, task: (session: CoordinationSession) => Promise<ExitCode>): Promise<void> => {
    ended(await inCoordination(flags, terminal, task));
  };
  // A subcommand leaves its flags to the command above it, which knows them, too.
  const shared: AddCommand = (...given) =>
    command(...given).addOption(
      new Option('--coordination <prefix>', 'the option "coordination.prefix" of the application'),
    );

  shared('elections', 'lists the elections with their leaders', 'etcd-trigger elections --coordination /shop').action(
    (flags: Flags) => run(flags, (session) => elections(session, flags, terminal)),
  );
  shared('locks', 'lists the locks with their owners', 'etcd-trigger locks --coordination /shop').action(
    (flags: Flags) => run(flags, (session) => locks(session, flags, terminal)),
  );
  shared(
    'crons',
    'lists the cron jobs with their owners and ticks',
    'etcd-trigger crons --app dist/app.module.js',
  ).action((flags: Flags) => run(flags, (session) => crons(session, flags, terminal)));

  const all = shared('groups', 'lists and changes handler groups', 'etcd-trigger groups --coordination /shop').action(
    (flags: Flags) => run(flags, (session) => groups(session, flags, terminal)),
  );
  shared('parked <name>', 'lists the parked events of a group', 'etcd-trigger groups parked orders', all).action(
    (name: string, _: Flags, self: Command) => {
      const flags = self.optsWithGlobals<Flags>();
      return run(flags, (session) => parked(session, name, flags, terminal));
    },
  );
  shared('redrive <name>', 'handles the parked events again', 'etcd-trigger groups redrive orders', all).action(
    (name: string, _: Flags, self: Command) => {
      const flags = self.optsWithGlobals<Flags>();
      return run(flags, (session) => redrive(session, name, flags, terminal));
    },
  );
  shared(
    'repartition <name>',
    'changes the number of partitions, which no instance may own',
    'etcd-trigger groups repartition orders 8',
    all,
  )
    .argument('<partitions>', `number of partitions, from 1 to ${MAX_PARTITIONS}`, integer)
    .action((name: string, partitions: number, _: Flags, self: Command) => {
      checkInteger('the number of partitions', partitions, { min: 1, max: MAX_PARTITIONS });
      const flags = self.optsWithGlobals<Flags>();
      return run(flags, (session) => repartition(session, name, partitions, flags, terminal));
    });
  shared(
    'reset <name>',
    'lets a group begin again, as if it were new',
    'etcd-trigger groups reset orders --from now',
    all,
  )
    .addOption(new Option('--from <start>', 'what it begins with').choices(['existing', 'now']).makeOptionMandatory())
    .action((name: string, { from }: { from: 'existing' | 'now' }, self: Command) => {
      const flags = self.optsWithGlobals<Flags>();
      return run(flags, (session) => reset(session, name, from, flags, terminal));
    });
}
