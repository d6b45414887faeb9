import { quoted } from '../../foreign/foreign-text.js';
import type { AuditRecord } from '../../store/audit/audit-record.js';
import type { Session } from '../session.js';
import { printTable } from '../style.js';
import { ExitCode, type Terminal } from '../terminal.js';
import { pretty } from './values.js';

/** Prints the records of the audit trail for a key, newest first. */
export async function audit(
  { store }: Session,
  key: string,
  { limit, json }: { readonly limit: number; readonly json: boolean },
  terminal: Terminal,
): Promise<ExitCode> {
  const records = await store.audit(key, { limit });
  if (json) terminal.out(pretty({ key, records }));
  else if (records.length > 0) printTable(terminal, HEADING, records.map(rowOf));
  if (records.length > 0) return ExitCode.OK;
  terminal.note(`the audit trail has no record of ${quoted(key)}`);
  return ExitCode.PROBLEM;
}

const HEADING = ['REVISION', 'TIME', 'AUTHOR', 'ACTION', 'KEY', 'FROM', 'CHANGED', 'REASON', 'INSTANCE'];

function rowOf(record: AuditRecord): string[] {
  const { revision, time, author, group, action, key, fromRevision, reason = '', instance } = record;
  const writer = author ?? (group === undefined ? '-' : `group ${group}`);
  const { podName } = instance;
  return [
    `${revision}`,
    time.toISOString(),
    writer,
    action,
    key,
    `${fromRevision}`,
    changesOf(record),
    reason,
    podName,
  ];
}

function changesOf({ changedPaths, furtherPaths }: AuditRecord): string {
  if (!changedPaths) return 'unknown';
  const paths = changedPaths.map((path) => path || '(document)').join(', ');
  return `${paths || 'nothing'}${furtherPaths > 0 ? ` and ${furtherPaths} more` : ''}`;
}
