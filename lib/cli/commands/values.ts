import { DEFAULT_DOCUMENT_LIMITS } from '../../dto/document-limits.js';
import { JSON_FORMAT } from '../../dto/formats/json-format.js';
import { maskedData } from '../../dto/secrets/masked-data.js';
import { KeyNotFoundError } from '../../etcd-trigger.errors.js';
import { escaped, quoted } from '../../foreign/foreign-text.js';
import type { DefinitionFeed } from '../../store/cache/definition-feed.js';
import type { WriteNote } from '../../store/audit/write-note.js';
import type { WatcherService } from '../../watch/watcher.service.js';
import { CliError } from '../cli.error.js';
import { type FileFormat, parseDocument } from '../documents.js';
import { checkNeedsNoLayer } from '../layer-choice.js';
import type { Session } from '../session.js';
import { ExitCode, type Terminal } from '../terminal.js';
import { violationLines } from '../violations.js';

/** Options for printing a value. */
export interface ShownAs {
  readonly json: boolean;
  /** Prints secrets instead of `***`. */
  readonly reveal: boolean;
}

/** Prints the value of a key as applications read it; without an application, its text. */
export async function get(
  { watcher, declared, feedOf }: Session,
  key: string,
  shownAs: ShownAs,
  terminal: Terminal,
): Promise<ExitCode> {
  if (!declared) return getRaw(watcher, key, shownAs, terminal);
  const feed = feedOf(key);
  const { value, ...provenance } = feed.entry(key);
  const shown = value === undefined ? undefined : shownValue(feed, value, shownAs);
  if (shownAs.json) terminal.out(pretty({ key, ...provenance, value: shown }));
  else if (shown !== undefined) terminal.out(pretty(shown));
  const { state, rejectedRevision = 0, violations = [] } = provenance;
  if (state === 'absent') terminal.note(`${quoted(key)} does not exist`);
  if (state === 'invalid') {
    terminal.note(`${quoted(key)} is invalid at revision ${rejectedRevision}:`);
    for (const line of violationLines(violations)) terminal.note(`  ${line}`);
  }
  return state === 'valid' ? ExitCode.OK : ExitCode.PROBLEM;
}

/** Returns plain data, in which `***` replaces secrets unless they are to be shown. */
export const shownValue = ({ parser }: DefinitionFeed, value: object, { reveal }: ShownAs): unknown =>
  reveal ? parser.plainOf(value, 'class') : maskedData(value);

/** Returns JSON in which no character controls a terminal. */
export const pretty = (value: unknown): string => withoutControls(JSON.stringify(value, undefined, 2));

/** Like `pretty`, on one line. */
export const compact = (value: unknown): string => withoutControls(JSON.stringify(value));

const withoutControls = (json: string): string =>
  json.replace(UNPRINTABLE, (text) =>
    Array.from({ length: text.length }, (_, at) => `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''),
  );

/** JSON.stringify escapes the other control characters. */
const UNPRINTABLE = /[\x7f-\x9f\p{Cf}\p{Zl}\p{Zp}]/gu;

async function getRaw(watcher: WatcherService, key: string, { json }: ShownAs, terminal: Terminal): Promise<ExitCode> {
  try {
    const { value, revision } = await watcher.get(key);
    if (json) terminal.out(pretty({ key, revision, value: value.toString() }));
    else if (terminal.isTerminal) terminal.out(harmless(value.toString()));
    else terminal.bytes(value);
    return ExitCode.OK;
  } catch (error) {
    if (!(error instanceof KeyNotFoundError)) throw error;
    terminal.note(`${quoted(key)} does not exist`);
    return ExitCode.PROBLEM;
  }
}

/** Escapes what controls a terminal, other than line breaks and tabs. */
const harmless = (text: string): string => text.replace(/[^\n\t]+/g, escaped);

/** A value to write, and the demanded state of its key. */
export interface NewValue {
  readonly text: Buffer;
  readonly format: FileFormat;
  readonly raw: boolean;
  readonly ifRevision?: number;
  readonly ifAbsent: boolean;
  /** The layer that is replaced by the document. */
  readonly layer?: string;
  /** Recorded in the audit trail. */
  readonly note: WriteNote;
  readonly json: boolean;
}

/** Validates and writes the document of a key; `raw` writes the bytes as they are. */
export async function set(
  session: Session,
  key: string,
  { text, format, raw, ifRevision, ifAbsent, layer, note, json }: NewValue,
  terminal: Terminal,
): Promise<ExitCode> {
  const { store, rawWriter, declared, feedOf } = session;
  if (raw) {
    if (layer !== undefined) throw new CliError('--raw writes the key itself: give the key of the layer');
    if (ifRevision !== undefined || ifAbsent) throw new CliError('--raw writes without a condition');
    const feed = declared?.governing(key) && feedOf(key);
    const readAs = { format: feed?.format ?? JSON_FORMAT, limits: feed?.parser.limits ?? DEFAULT_DOCUMENT_LIMITS };
    return wrote(terminal, { key, ...(await rawWriter.put(key, text, readAs, note)) }, json);
  }
  if (!declared) throw new CliError('set needs --app to validate the value, or --raw to write it as it is');
  if (layer === undefined) checkNeedsNoLayer(session, key);
  const document = parseDocument(text, format, 'the value');
  const { revision } = await store.put(key, document, { ifRevision, ifAbsent, layer, ...note });
  return wrote(terminal, { key, layer, revision }, json);
}

/** An earlier document of a key, or of its layer. */
export interface EarlierValue extends Pick<NewValue, 'layer' | 'note' | 'json'> {
  readonly revision: number;
}

/** Writes the document that the key, or the layer, had at an earlier revision. */
export async function rollback(
  session: Session,
  key: string,
  { revision: earlier, layer, note, json }: EarlierValue,
  terminal: Terminal,
): Promise<ExitCode> {
  if (layer === undefined) checkNeedsNoLayer(session, key);
  const { revision } = await session.store.rollback(key, earlier, { layer, ...note });
  return wrote(terminal, { key, layer, revision }, json);
}

function wrote(
  terminal: Terminal,
  write: { readonly key: string; readonly layer?: string | undefined; readonly revision: number },
  json: boolean,
): ExitCode {
  const { key, layer, revision } = write;
  const name = layer === undefined ? quoted(key) : `layer ${quoted(layer)} of ${quoted(key)}`;
  terminal.out(json ? pretty({ key, layer, revision }) : `${name} was written at revision ${revision}`);
  return ExitCode.OK;
}
