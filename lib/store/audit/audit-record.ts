/**
 * - `put`, `delete`, `update`, `rollback`: the method of the `StoreService`; in a transaction `put` or `delete`.
 * - `restore`: the library has put a key again after its lease had expired.
 */
export type AuditAction = 'put' | 'delete' | 'update' | 'rollback' | 'restore';

/** The author of a write of one key, its time, and the properties that it changed. Contains no values. */
export interface AuditRecord {
  /** The written key; for a definition with layers, the layer. */
  readonly key: string;
  /** Revision of the write in etcd. */
  readonly revision: number;
  /** Time of the write by the clock of the process that wrote. */
  readonly time: Date;
  readonly action: AuditAction;
  readonly author?: string;
  readonly reason?: string;
  /** The handler group whose `commit()` has written the key. */
  readonly group?: string;
  /** The instance that wrote, by the options `serviceName` and `podName`. */
  readonly instance: { readonly serviceName: string; readonly podName: string };
  /**
   * Revision of the document that the writer replaced: the one it demanded, or else the last one that it had seen. 0: the
   * key was absent.
   */
  readonly fromRevision: number;
  /**
   * Paths of the properties that differ from the document at `fromRevision`, such as `pool.max`; `''` is the document
   * itself. `undefined` if the writer did not know that document.
   */
  readonly changedPaths?: readonly string[];
  /** Number of further paths, which are not listed. */
  readonly furtherPaths: number;
}

/** The part of a record that its value contains. */
export type AuditContent = Omit<AuditRecord, 'key' | 'revision'>;

/** Lists the first paths only, so that a record stays small beside the document. */
export function limitedPaths(paths: readonly string[] | undefined): Pick<AuditRecord, 'changedPaths' | 'furtherPaths'> {
  if (!paths) return { furtherPaths: 0 };
  let length = 0;
  const shown = paths.slice(0, MAX_PATHS).filter((path) => (length += path.length) <= MAX_CHARS);
  return { changedPaths: shown, furtherPaths: paths.length - shown.length };
}

export function serializeRecord({ time, ...content }: AuditContent): Buffer {
  return Buffer.from(JSON.stringify({ v: VERSION, time: time.toISOString(), ...content }));
}

/** Returns `undefined` for anything that is not a record of this version, such as one that is too large. */
export function parseRecord(bytes: Buffer): AuditContent | undefined {
  if (bytes.length > MAX_BYTES) return undefined;
  const found = parsed(bytes);
  if (found?.v !== VERSION) return undefined;
  const { author, reason, group, changedPaths } = found;
  const { time, action, instance, fromRevision, furtherPaths } = found;
  if (typeof time !== 'string' || Number.isNaN(Date.parse(time))) return undefined;
  if (!isAction(action) || !isInstance(instance) || !isCount(fromRevision) || !isCount(furtherPaths)) return undefined;
  if (!isOptionalText(author) || !isOptionalText(reason) || !isOptionalText(group)) return undefined;
  if (changedPaths !== undefined && !isTexts(changedPaths)) return undefined;
  const { serviceName, podName } = instance;
  return {
    time: new Date(time),
    action,
    ...(author !== undefined && { author }),
    ...(reason !== undefined && { reason }),
    ...(group !== undefined && { group }),
    instance: { serviceName, podName },
    fromRevision,
    ...(changedPaths !== undefined && { changedPaths }),
    furtherPaths,
  };
}

const VERSION = 1;
const MAX_PATHS = 100;
/** Characters of all paths of a record. */
const MAX_CHARS = 4_000;
/** More than any record of this library has, also where JSON escapes every character. */
const MAX_BYTES = 65_536;

const ACTIONS: readonly unknown[] = ['put', 'delete', 'update', 'rollback', 'restore'] satisfies AuditAction[];

function parsed(bytes: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

const isAction = (value: unknown): value is AuditAction => ACTIONS.includes(value);

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const isOptionalText = (value: unknown): value is string | undefined =>
  value === undefined || typeof value === 'string';

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((each) => typeof each === 'string');

function isInstance(value: unknown): value is AuditRecord['instance'] {
  if (typeof value !== 'object' || value === null) return false;
  const { serviceName, podName } = value as Partial<Record<keyof AuditRecord['instance'], unknown>>;
  return typeof serviceName === 'string' && typeof podName === 'string';
}
