import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command, CommanderError, Option } from 'commander';
import { escaped } from '../foreign/foreign-text.js';
import { PACKAGE_VERSION } from '../module/package-copy.js';
import { readApplication } from './application.js';
import { CliError } from './cli.error.js';
import { findProblems, printFindings, refusing } from './commands/check.js';
import { compareFolder, printDifferences, printPlan, pull, push } from './commands/folders.js';
import { audit } from './commands/audit.js';
import { history } from './commands/history.js';
import { schema } from './commands/schema.js';
import { get, rollback, set } from './commands/values.js';
import { watch } from './commands/watch.js';
import { type ConnectionFlags, readConfigFile } from './connection.js';
import { type AddCommand, addCoordinationCommands } from './coordination.program.js';
import { type FileFormat, formatOfFile } from './documents.js';
import { exitCodeOf, messageOf } from './failures.js';
import { author, connectionFlags, integer, layer, reason, reveal } from './flags.js';
import { inSession, type Session } from './session.js';
import type { WriteNote } from '../store/audit/write-note.js';
import { ExitCode, type Terminal } from './terminal.js';

/** Flags of all commands. */
interface Flags extends ConnectionFlags {
  readonly json: boolean;
}

/**
 * Runs the command line and returns its exit code. Never rejects: an error is one line on standard error.
 * @param args without the names of Node and of the script
 */
export async function runProgram(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  let exitCode: ExitCode = ExitCode.OK;
  const program = createProgram(terminal, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander has printed its own message.
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.OK : ExitCode.USAGE;
    terminal.progress('');
    terminal.note(`error: ${escaped(messageOf(error))}`);
    return exitCodeOf(error);
  }
}

function createProgram(terminal: Terminal, ended: (code: ExitCode) => void): Command {
  const program = new Command('etcd-trigger')
    .description('Checks, compares and edits the configuration of an application in etcd.')
    .version(PACKAGE_VERSION)
    .exitOverride()
    // A misspelled command of "groups" would be an argument that is ignored.
    .allowExcessArguments(false)
    .configureOutput({
      writeOut: (text) => {
        terminal.out(text.trimEnd());
      },
      writeErr: (text) => {
        terminal.note(text.trimEnd());
      },
    })
    .addHelpText('after', HELP);
  const command: AddCommand = (usage, description, example, parent = program) => {
    const added = parent.command(usage).description(description).addHelpText('after', `\nExample:\n  ${example}`);
    for (const flag of connectionFlags()) added.addOption(flag);
    return added;
  };

  command(
    'check',
    'compares the definitions of an application with etcd',
    'etcd-trigger check --app dist/app.module.js',
  )
    .option('--strict', 'also fail for properties that the class does not know', false)
    .action(async ({ strict, ...flags }: Flags & { strict: boolean }) => {
      const run = (session: Session): Promise<ExitCode> =>
        Promise.resolve(printFindings(findProblems(session), session, { json: flags.json, strict }, terminal));
      ended(await inSession(flags, terminal, run, refusing));
    });

  command('get <key>', 'prints the value of a key', 'etcd-trigger get /shop/db --app dist/app.module.js')
    .addOption(reveal())
    .action(async (key: string, flags: Flags & { reveal: boolean }) => {
      ended(await inSession(flags, terminal, (session) => get(session, key, flags, terminal)));
    });

  const writing: AddCommand = (...given) =>
    command(...given)
      .addOption(author())
      .addOption(reason());

  writing('set <key> [value]', 'validates and writes a value', `etcd-trigger set /shop/db --file db.yaml`)
    .option('--file <file>', 'read the value from a JSON or YAML file; "-" is standard input')
    .option('--raw', 'write the value as it is, without validation', false)
    .option('--if-revision <revision>', 'write only if the key is at this revision', integer)
    .option('--if-absent', 'write only if the key does not exist', false)
    .addOption(layer())
    .action(async (key: string, value: string | undefined, flags: Flags & NoteFlags & SetFlags) => {
      const given = await givenValue(value, flags.file, terminal);
      ended(
        await inSession(flags, terminal, (session) =>
          set(session, key, { ...flags, ...given, note: noteFrom(flags, terminal) }, terminal),
        ),
      );
    });

  command('history <key>', 'prints the values that etcd still has', 'etcd-trigger history /shop/db --limit 3')
    .option('--limit <count>', 'number of values', integer, 10)
    .addOption(reveal())
    .action(async (key: string, flags: Flags & { limit: number; reveal: boolean }) => {
      ended(await inSession(flags, terminal, (session) => history(session, key, flags, terminal)));
    });

  writing('rollback <key>', 'writes an earlier value again', 'etcd-trigger rollback /shop/db 1234')
    .argument('<revision>', 'revision of the value, as history prints it', integer)
    .addOption(layer())
    .action(async (key: string, revision: number, flags: Flags & NoteFlags & { layer?: string }) => {
      const earlier = { ...flags, revision, note: noteFrom(flags, terminal) };
      ended(await inSession(flags, terminal, (session) => rollback(session, key, earlier, terminal)));
    });

  command('audit <key>', 'prints who has changed a key, and why', 'etcd-trigger audit /shop/db --limit 3')
    .option('--limit <count>', 'number of records', integer, 50)
    .action(async (key: string, flags: Flags & { limit: number }) => {
      ended(await inSession(flags, terminal, (session) => audit(session, key, flags, terminal)));
    });

  command('pull <prefix> <folder>', 'writes the documents of a prefix to files', 'etcd-trigger pull /shop/ config')
    .addOption(new Option('--format <format>', 'format of the files').choices(['json', 'yaml']).default('json'))
    .addOption(reveal())
    .action(async (prefix: string, folder: string, flags: Flags & { format: FileFormat; reveal: boolean }) => {
      ended(await inSession(flags, terminal, (session) => pull(session, { ...flags, prefix, folder }, terminal)));
    });

  command('diff <prefix> <folder>', 'compares files with etcd', 'etcd-trigger diff /shop/ config')
    .addOption(reveal())
    .action(async (prefix: string, folder: string, flags: Flags & { reveal: boolean }) => {
      const differences = await inSession(flags, terminal, (session) =>
        compareFolder(session, { prefix, folder, reveal: flags.reveal }, terminal),
      );
      printDifferences(differences, flags.json, terminal);
      ended(differences.length > 0 ? ExitCode.PROBLEM : ExitCode.OK);
    });

  writing(
    'push <prefix> <folder>',
    'shows what would be written, or writes it',
    'etcd-trigger push /shop/ config --apply',
  )
    .option('--apply', 'write; without it, nothing is changed', false)
    .option('--prune', 'delete keys that have no file', false)
    .addOption(reveal())
    .action(async (prefix: string, folder: string, flags: Flags & NoteFlags & PushFlags) => {
      const note = noteFrom(flags, terminal);
      const run = async (session: Session): Promise<ExitCode> => {
        const differences = await compareFolder(session, { prefix, folder, reveal: flags.reveal }, terminal);
        return flags.apply
          ? push(session, differences, { ...flags, note }, terminal)
          : printPlan(session, differences, flags.json, terminal);
      };
      ended(await inSession(flags, terminal, run));
    });

  command(
    'schema',
    'prints the JSON Schema of every definition',
    'etcd-trigger schema --app dist/app.module.js',
  ).action(async (flags: Flags) => {
    const config = await readConfigFile(terminal.directory);
    const app = flags.app ?? config.app;
    if (app === undefined) throw new CliError('schema needs --app, the compiled file of the root module');
    ended(schema(await readApplication(app, terminal.directory, flags.cluster ?? config.cluster), terminal));
  });

  command('watch [prefix]', 'prints every change until it is interrupted', 'etcd-trigger watch /shop/')
    .option('--initial', 'print the existing keys first', false)
    .action(async (prefix: string | undefined, flags: Flags & { initial: boolean }) => {
      ended(await inSession(flags, terminal, (session) => watch(session, prefix ?? '', flags, terminal)));
    });
  addCoordinationCommands(command, terminal, ended);
  return program;
}

interface NoteFlags {
  readonly author?: string;
  readonly reason?: string;
}

const noteFrom = ({ author: name, reason: why }: NoteFlags, { user }: Terminal): WriteNote => ({
  author: name ?? user,
  reason: why,
});

interface SetFlags {
  readonly file?: string;
  readonly raw: boolean;
  readonly ifRevision?: number;
  readonly ifAbsent: boolean;
  readonly layer?: string;
}

interface PushFlags {
  readonly apply: boolean;
  readonly prune: boolean;
  readonly reveal: boolean;
}

/** @throws CliError unless exactly one of both is given */
async function givenValue(
  value: string | undefined,
  file: string | undefined,
  terminal: Terminal,
): Promise<{ readonly text: Buffer; readonly format: FileFormat }> {
  if ((value === undefined) === (file === undefined)) throw new CliError('give either a value or --file');
  if (value !== undefined) return { text: Buffer.from(value), format: 'json' };
  if (file === '-') return { text: Buffer.from(await terminal.read()), format: 'json' };
  try {
    return { text: readFileSync(resolve(terminal.directory, file ?? '')), format: formatOfFile(file ?? '') ?? 'json' };
  } catch {
    throw new CliError(`the file of --file cannot be read: ${file ?? ''}`);
  }
}

const HELP = `
Each value of the connection comes from its flag, else from its environment variable, else from the file
etcd-trigger.config.js (or .mjs, .cjs, .json). Without hosts in them, the options of the application are used.

Exit codes:
  0  done, no problem found
  1  a problem was found, a key is absent, or a write was refused
  2  wrong arguments, options or application
  3  etcd cannot be reached, or denies access`;
