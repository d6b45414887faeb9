import { hashOf } from '../rendezvous.js';
import { parseObject, textOf } from '../members.js';

/** The events of a partition that are handled: everything up to the revision `r`, and the positions in `done`. */
export interface CursorProgress {
  readonly r: number;
  /** Handled events after `r`: see `positionOf` and `keyPosition`. */
  readonly done: readonly string[];
  /**
   * The keys of the list at `r` are being handled, in key order: `initial` all of them, `resync` those whose last write
   * is not handled according to `base`. `initial` with `r` 0, and `now`: begins at the revision of the key that stores
   * the cursor.
   */
  readonly phase?: 'initial' | 'resync' | 'now' | undefined;
  /** In a phase: the keys up to this raw key are handled. */
  readonly after?: string | undefined;
  /** In the phase `resync`: the progress before it. `undefined`: nothing is known of it. */
  readonly base?: CursorProgress | undefined;
}

/** The progress of one partition of a group, as etcd stores it. */
export interface GroupCursor extends CursorProgress {
  /** Positions of the calls that have started. Stored only if `stalls` is not 0. */
  readonly trying?: readonly string[] | undefined;
  /** The positions that were tried each time an owner has died. */
  readonly suspects?: readonly string[] | undefined;
  /** Number of owners in a row that died, as far as one of the suspects was tried. */
  readonly stalls: number;
  /** The cursors before the number of partitions was changed. */
  readonly was?: FormerPartitions | undefined;
  /** Id of the cluster; empty if it is unknown. */
  readonly cluster: string;
  /** Create revision of the key that stores the cursor. A copy of the cursor in another history has another one. */
  readonly created?: number | undefined;
  /** True if the names of all keys are stored that were there at the cursor. */
  readonly remembers?: boolean | undefined;
  /** True if the last owner gave the partition up, and did not die. */
  readonly released?: boolean | undefined;
  /** True if the last owner gave the partition up while an event was not handled whose call had begun. */
  readonly interrupted?: boolean | undefined;
}

/** Progress under another number of partitions. */
export interface FormerPartitions {
  readonly partitions: number;
  readonly cursors: readonly { readonly r: number; readonly done: readonly string[] }[];
}

/** The write of a cursor: the instance and its count. */
export interface CursorStamp {
  readonly by: string;
  /** When the cursor was written, by the clock of the writer, in milliseconds since 1970. */
  readonly at: number;
}

/** A cursor as etcd stores it. */
export interface StoredCursor extends CursorStamp {
  readonly cursor: GroupCursor;
}

/** The most positions of one call that a cursor names: those of a batch without end would not fit into a request. */
const MAX_TRIED = 64;

/** The positions by which the next owner recognizes a call. */
export const triedOf = (positions: readonly string[]): readonly string[] => positions.slice(0, MAX_TRIED);

/** At this number of stalls, the suspect is parked. */
export const MAX_STALLS = 5;

/** From this number of stalls on, a partition calls its handler with one event at a time. */
export const SINGLE_CALL_STALLS = 3;

/**
 * The position of an event: its revision, and its index among the keys of the target in that revision. If there are
 * several, a hash of the key follows, by which the event is recognized in a list.
 */
export const positionOf = (revision: number, index: number, count: number, rawKey: string): string =>
  count === 1 ? `${revision}/${index}` : `${revision}/${index}/${hashOf(rawKey).toString(36)}`;

/** The most handled positions of one revision that a cursor names one by one. */
const MAX_NAMED = 256;

/**
 * The handled positions of one revision, in their order. If they are too many for a cursor, as after the deletion of a
 * large prefix, only the last of them is named: `rev/..i` means every position up to the index i.
 */
export function shortened(positions: readonly string[]): readonly string[] {
  const last = positions.at(-1);
  if (last === undefined || positions.length <= MAX_NAMED) return positions;
  const [revision, index] = last.split('/');
  return [`${revision}/..${index}`];
}

/** True if the positions contain this one, or end after it in its revision. */
export const includesPosition = (done: readonly string[], position: string): boolean =>
  done.includes(position) || isWithin(rangesOf(done), position);

/** The ranges among handled positions: the last index by revision. */
export function rangesOf(done: Iterable<string>): ReadonlyMap<number, number> {
  const ranges = new Map<number, number>();
  for (const position of done) {
    const [revision, index = ''] = position.startsWith('=') ? [] : position.split('/');
    if (!index.startsWith('..')) continue;
    const last = Number(index.slice(2));
    ranges.set(Number(revision), Math.max(last, ranges.get(Number(revision)) ?? 0));
  }
  return ranges;
}

export function isWithin(ranges: ReadonlyMap<number, number>, position: string): boolean {
  const last = ranges.size === 0 ? undefined : ranges.get(revisionOf(position));
  return last !== undefined && Number(position.split('/')[1]) <= last;
}

/** The position of a key in a phase. */
export const keyPosition = (rawKey: string): string => `=${rawKey}`;

/** The revision of a position; 0 for a key of a phase. */
export const revisionOf = (position: string): number =>
  position.startsWith('=') ? 0 : Number(position.slice(0, position.indexOf('/')));

/**
 * True if the last write of a key, as a list shows it, is known to be handled. In a revision with a range of handled
 * positions, that is not known of any write.
 */
export function isHandled(progress: CursorProgress, revision: number, rawKey: string): boolean {
  const { r, done, phase, after = '', base } = progress;
  const isListed = phase === undefined || rawKey <= after || done.includes(keyPosition(rawKey));
  if (!isListed) return base !== undefined && isHandled(base, revision, rawKey);
  return revision <= r || hasPosition(done, revision, rawKey);
}

function hasPosition(done: readonly string[], revision: number, rawKey: string): boolean {
  if (done.length === 0) return false;
  const hash = hashOf(rawKey).toString(36);
  return done.some(
    (position) =>
      position === `${revision}/0` || (position.startsWith(`${revision}/`) && position.endsWith(`/${hash}`)),
  );
}

export const serializeCursor = (cursor: GroupCursor, { by, at }: CursorStamp): Buffer =>
  Buffer.from(JSON.stringify({ v: 1, ...cursor, by, at }));

const FIELDS: Readonly<Record<keyof GroupCursor | keyof CursorStamp | 'v', true>> = {
  v: true,
  r: true,
  done: true,
  phase: true,
  after: true,
  base: true,
  trying: true,
  suspects: true,
  stalls: true,
  was: true,
  cluster: true,
  created: true,
  remembers: true,
  released: true,
  interrupted: true,
  by: true,
  at: true,
};

/**
 * The fields of a cursor that a later version has added. The next write leaves them out: they describe what that version
 * has handled, and would be wrong after events that this version handles.
 */
export const unknownFieldsOf = (value: Buffer): readonly string[] =>
  Object.keys(parseObject(value)).filter((name) => !Object.hasOwn(FIELDS, name));

/** Returns `undefined` for a value that this version cannot read. */
export function parseCursor(value: Buffer): StoredCursor | undefined {
  const object = parseObject(value);
  const { v, r, done, phase, after, base, trying, suspects, stalls, was, cluster, released, interrupted, by, at } =
    object;
  const { created, remembers } = object;
  const progress = { r, done, phase, after, base };
  if (v !== 1 || !isProgress(progress) || !(was === undefined || isFormer(was))) return undefined;
  const cursor: GroupCursor = {
    r: progress.r,
    done: progress.done,
    phase: progress.phase,
    after: progress.after,
    base: progress.base,
    trying: isTexts(trying) ? trying : undefined,
    suspects: isTexts(suspects) ? suspects : undefined,
    stalls: typeof stalls === 'number' ? stalls : 0,
    was,
    cluster: textOf(cluster),
    created: isRevision(created) ? created : undefined,
    remembers: remembers === true ? true : undefined,
    released: released === true ? true : undefined,
    interrupted: interrupted === true ? true : undefined,
  };
  return { cursor, by: textOf(by), at: typeof at === 'number' ? at : 0 };
}

/**
 * The cursor as the next owner stores it with its claim. Counts the owners that died while they tried the same event.
 *
 * @param revision of the key that stores the cursor
 */
export function claimedCursor(cursor: GroupCursor, revision: number): GroupCursor {
  const { phase, trying = [], released, ...last } = cursor;
  const kept = { ...last, interrupted: undefined };
  const isNew = phase === 'now' || (phase === 'initial' && cursor.r === 0);
  const r = isNew ? revision : cursor.r;
  const next: GroupCursor = phase === undefined || phase === 'now' ? { ...kept, r } : { ...kept, r, phase };
  if (released === true) return { ...next, stalls: cursor.stalls };
  if (trying.length === 0) return { ...next, stalls: Math.max(1, cursor.stalls) };
  const { suspects } = cursor;
  if (!suspects) return { ...next, suspects: trying, stalls: Math.max(1, cursor.stalls) };
  const same = trying.filter((position) => suspects.includes(position));
  if (same.length === 0) return { ...next, suspects: trying, stalls: 1 };
  return { ...next, suspects: same, stalls: cursor.stalls + 1 };
}

/**
 * The positions of the event, or of the batch, that is to be parked instead of being called. At that many stalls, the
 * suspects are those of one call.
 */
export const poisonOf = ({ stalls, suspects = [] }: GroupCursor): readonly string[] =>
  stalls >= MAX_STALLS ? suspects : [];

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((entry) => typeof entry === 'string');

function isProgress(value: unknown): value is CursorProgress {
  if (typeof value !== 'object' || value === null) return false;
  const { r, done, phase, after, base } = value as Record<keyof CursorProgress, unknown>;
  return (
    isRevision(r) &&
    isTexts(done) &&
    (phase === undefined || isPhase(phase)) &&
    (after === undefined || typeof after === 'string') &&
    (base === undefined || isProgress(base))
  );
}

function isFormer(value: unknown): value is FormerPartitions {
  if (typeof value !== 'object' || value === null) return false;
  const { partitions, cursors } = value as Record<keyof FormerPartitions, unknown>;
  return isRevision(partitions) && partitions > 0 && Array.isArray(cursors) && cursors.every(isProgress);
}

const isRevision = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

const isPhase = (value: unknown): value is NonNullable<GroupCursor['phase']> =>
  value === 'initial' || value === 'resync' || value === 'now';
