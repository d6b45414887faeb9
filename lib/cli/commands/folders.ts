import { counted } from '../../counted.js';
import { changedPaths } from '../../dto/document-diff.js';
import { changedPathsOf } from '../../dto/secrets/masked-changes.js';
import { printable, quoted } from '../../foreign/foreign-text.js';
import { type ConfigViolation, InvalidConfigError } from '../../etcd-trigger.errors.js';
import { violationsOf } from '../../store/writing/document-check.js';
import { CHANGED_PATHS, type WriteNote } from '../../store/audit/write-note.js';
import type { ConfigTransaction } from '../../config-transaction.js';
import { CliError } from '../cli.error.js';
import type { FileFormat } from '../documents.js';
import { type EtcdDocument, readDocuments } from '../etcd-documents.js';
import { type FolderDocument, readFolder, writeToFolder } from '../folder.js';
import { checkFile } from '../layer-choice.js';
import type { Session } from '../session.js';
import { styled } from '../style.js';
import { ExitCode, type Terminal } from '../terminal.js';
import { violationLines } from '../violations.js';
import { pretty } from './values.js';

/** A difference between a folder and etcd. */
export interface Difference {
  readonly key: string;
  /** `add`: only in the folder. `delete`: only in etcd. */
  readonly type: 'add' | 'change' | 'delete';
  /** Paths of the parts that differ; `''` is the whole document. */
  readonly changedPaths: readonly string[];
  readonly inFolder: FolderDocument | undefined;
  readonly inEtcd: EtcdDocument | undefined;
  /** The violations of the document in the folder; `undefined` if it was not validated. */
  readonly violations?: readonly ConfigViolation[];
}

export interface PullOptions {
  readonly prefix: string;
  readonly folder: string;
  readonly format: FileFormat;
  readonly reveal: boolean;
  readonly json: boolean;
}

/**
 * Writes the documents of a prefix to files. Leaves out keys that have no file name, and documents with secrets unless
 * `reveal` is set.
 */
export async function pull(
  session: Session,
  { prefix, folder, format, reveal, json }: PullOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  terminal.progress('reading');
  const { documents, unnamed } = await readDocuments(session, prefix);
  terminal.progress('');
  noteUnnamed(unnamed, terminal);
  const written: { key: string; file: string }[] = [];
  const leftOut = unnamed.map((key) => ({ key, reason: NOT_UTF8 }));
  for (const { key, document, isSecret } of documents) {
    try {
      if (document === undefined) throw new CliError('it is no document');
      if (isSecret && !reveal) throw new CliError('it has secrets');
      const file = writeToFolder(terminal.directory, folder, { key, prefix, document, format });
      written.push({ key, file });
      if (!json) terminal.out(file);
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      terminal.note(`left out ${quoted(key)}: ${error.message}`);
      leftOut.push({ key, reason: error.message });
    }
  }
  if (json) terminal.out(pretty({ written, leftOut }));
  return leftOut.length > 0 ? ExitCode.PROBLEM : ExitCode.OK;
}

const NOT_UTF8 = 'it is not UTF-8, so it has no name';

/** Names the keys that are not UTF-8. No file can have their names, so they are neither compared nor written. */
function noteUnnamed(escapedKeys: readonly string[], terminal: Terminal): void {
  for (const key of escapedKeys) terminal.note(`left out "${key}": ${NOT_UTF8}`);
}

/**
 * Compares a folder with the documents of a prefix. A secret of a file counts as changed, unless `reveal` is set: the
 * output of a pipeline does not tell whether a secret is the current one.
 */
export async function compareFolder(
  session: Session,
  { prefix, folder, reveal }: { readonly prefix: string; readonly folder: string; readonly reveal: boolean },
  terminal: Terminal,
): Promise<Difference[]> {
  const files = new Map(readFolder(terminal.directory, folder, prefix).map((each) => [each.key, each]));
  for (const file of files.values()) checkFile(session, file);
  const { documents: found, unnamed } = await readDocuments(session, prefix);
  noteUnnamed(unnamed, terminal);
  const documents = new Map(found.map((each) => [each.key, each]));
  const keys = [...new Set([...files.keys(), ...documents.keys()])].sort();
  return keys.flatMap((key): Difference[] => {
    const inFolder = files.get(key);
    const inEtcd = documents.get(key);
    const definition = reveal ? undefined : session.declared?.governing(key);
    const paths = definition
      ? changedPathsOf(inEtcd?.document, inFolder?.document, definition)
      : changedPaths(inEtcd?.document, inFolder?.document);
    if (paths.length === 0) return [];
    const type = !inFolder ? 'delete' : inEtcd ? 'change' : 'add';
    return [{ key, type, changedPaths: paths, inFolder, inEtcd }];
  });
}

/** Prints the differences and violations, without values. */
export function printDifferences(differences: readonly Difference[], json: boolean, terminal: Terminal): void {
  if (json) {
    const shown = differences.map(({ type, key, changedPaths: paths, violations }) => {
      return { type, key, changedPaths: paths, ...(violations && { violations }) };
    });
    terminal.out(pretty({ differences: shown }));
    return;
  }
  for (const { type, key, changedPaths: paths, violations = [] } of differences) {
    const details = type === 'change' ? `: ${paths.map((path) => path || '(document)').join(', ')}` : '';
    terminal.out(`${type} ${printable(key)}${details}`);
    for (const line of violationLines(violations)) terminal.out(`  ${styled(terminal, 'red', 'invalid')}  ${line}`);
  }
  terminal.note(differences.length === 0 ? 'no differences' : counted(differences.length, 'difference'));
}

/** Prints what `push` would write, and validates it. */
export async function printPlan(
  session: Session,
  differences: readonly Difference[],
  json: boolean,
  terminal: Terminal,
): Promise<ExitCode> {
  const planned = await validated(session, differences);
  printDifferences(planned, json, terminal);
  const invalid = planned.filter(({ violations = [] }) => violations.length > 0).length;
  if (!session.declared) terminal.note('the documents were not validated: add --app');
  terminal.note(invalid > 0 ? `${counted(invalid, 'document')} would be rejected` : 'nothing was written: add --apply');
  return invalid > 0 ? ExitCode.PROBLEM : ExitCode.OK;
}

/** Adds the violations of the documents in the folder, if there is an application. */
const validated = (
  { declared, feedOf, keyValue }: Session,
  differences: readonly Difference[],
): Promise<readonly Difference[]> =>
  Promise.all(
    differences.map(async (difference) => {
      const { key, inFolder } = difference;
      if (!declared || !inFolder) return difference;
      const { document } = inFolder;
      return { ...difference, violations: await violationsOf(keyValue, feedOf(key), { key, layer: key, document }) };
    }),
  );

export interface ApplyOptions {
  readonly prune: boolean;
  readonly reveal: boolean;
  readonly note: WriteNote;
  readonly json: boolean;
}

/**
 * Writes the files of a folder to etcd, if etcd still is as it was compared, and deletes other keys only with `prune`.
 * Everything is validated before anything is written.
 */
export async function push(
  session: Session,
  differences: readonly Difference[],
  { prune, reveal, note, json }: ApplyOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  if (!session.declared) throw new CliError('push needs --app to validate the documents');
  const kept = differences.filter(({ type, inEtcd }) => type === 'delete' && (!prune || (inEtcd?.isSecret && !reveal)));
  for (const { key } of prune ? kept : []) {
    terminal.note(`kept ${quoted(key)}: it has secrets; delete it with --reveal`);
  }
  const writes = differences.filter((difference) => !kept.includes(difference));
  const { mostWrites } = session;
  const batches = Math.ceil(writes.length / mostWrites);
  if (batches > 1) {
    // A transaction validates its own documents only.
    for (const { key, violations = [] } of await validated(session, writes)) {
      if (violations.length > 0) throw new InvalidConfigError(`the value for ${quoted(key)}`, violations, { key });
    }
    terminal.note(`${counted(writes.length, 'write')} need ${counted(batches, 'transaction')}`);
  }
  const noted = { ...note, [CHANGED_PATHS]: new Map(writes.map(({ key, changedPaths: paths }) => [key, paths])) };
  const written: { type: Difference['type']; key: string; revision: number }[] = [];
  try {
    for (let start = 0; start < writes.length; start += mostWrites) {
      const batch = writes.slice(start, start + mostWrites);
      terminal.progress(`${start} of ${writes.length} written`);
      const { revision } = await session.store.transaction((tx) => {
        for (const difference of batch) add(tx, difference);
      }, noted);
      written.push(...batch.map(({ type, key }) => ({ type, key, revision })));
      if (json) continue;
      for (const { type, key } of batch) terminal.out(`${type} ${printable(key)} (revision ${revision})`);
    }
  } finally {
    // A transaction that is refused does not undo the earlier ones.
    if (json) terminal.out(pretty({ written }));
  }
  return ExitCode.OK;
}

function add(tx: ConfigTransaction, { key, inFolder, inEtcd }: Difference): void {
  const condition = inEtcd ? { ifRevision: inEtcd.revision } : { ifAbsent: true };
  if (inFolder) tx.put(key, inFolder.document, condition);
  else if (inEtcd) tx.delete(key, { ifRevision: inEtcd.revision });
}
