import type { ChangeEvent } from '../../watch/stream/change-event.js';
import type { PlannedCursor } from './cursor-writer.js';
import {
  type CursorProgress,
  type FormerPartitions,
  type GroupCursor,
  poisonOf,
  revisionOf,
  SINGLE_CALL_STALLS,
  triedOf,
} from './group-cursor.js';
import type { GroupItem } from './group-item.js';
import { PartitionProgress, type ProgressEntry } from './partition-progress.js';
import { type PlannedKeys, RememberedKeys } from './remembered-keys.js';

export interface PartitionCursorOptions {
  readonly cursor: GroupCursor;
  /** The create revision of the key that stores the cursor. */
  readonly createRevision: number;
  /** The create revision of the owner key. */
  readonly token: number;
  /** Raw prefix of the remembered keys; `undefined`: nothing is remembered. */
  readonly rememberedPrefix: string | undefined;
  /** The largest number of operations of a transaction. */
  readonly transactionOperations: number;
}

/** The number of events from the first unfinished one on that may have started. */
const WINDOW = 256;

/** The cursor of an owned partition as it would be stored now, and how much of it is not stored yet. */
export class PartitionCursor {
  readonly progress: PartitionProgress;
  readonly keys: RememberedKeys;
  readonly #token: number;
  readonly #createRevision: number;
  readonly #suspects: Set<string>;
  /** Suspects that have not been handled since this instance owns the partition. */
  readonly #suspectsLeft: Set<string>;
  readonly #trying = new Set<string>();
  #stored: GroupCursor;
  #stalls: number;
  #finished = 0;
  #storedFinished = 0;
  /** Changes other than finished events, and how many of them are stored. */
  #changes = 0;
  #storedChanges = 0;
  #cluster: string;
  #created: number;
  #was: FormerPartitions | undefined;
  #poison: readonly string[];
  #remembers: boolean;
  /** True if nothing was handled before this instance: stored names of keys are those of a group that was reset. */
  readonly isFirst: boolean;

  constructor({ cursor, createRevision, token, rememberedPrefix, transactionOperations }: PartitionCursorOptions) {
    this.progress = new PartitionProgress(cursor);
    this.keys = new RememberedKeys({ prefix: rememberedPrefix, transactionOperations });
    this.#token = token;
    this.#was = cursor.was;
    this.#suspects = new Set(cursor.suspects);
    this.#suspectsLeft = new Set(cursor.suspects);
    this.#stored = cursor;
    this.#stalls = cursor.stalls;
    this.#cluster = cursor.cluster;
    this.#createRevision = createRevision;
    this.#created = cursor.created ?? createRevision;
    this.#poison = poisonOf(cursor);
    // The initial phase handles all keys.
    this.isFirst = cursor.phase === 'initial' && cursor.after === undefined && cursor.done.length === 0;
    this.#remembers = this.keys.isEnabled && (cursor.remembers === true || this.isFirst);
  }

  /** True if the names of all keys are stored that were there at the stored cursor. */
  get remembers(): boolean {
    return this.#remembers;
  }

  /** True if the names of the existing keys are to be stored before the cursor moves. */
  get needsNames(): boolean {
    // Changes that are handled already, also under another number of partitions, are not received again.
    const { phase, stored } = this.progress;
    const isComplete = this.#was === undefined && phase === undefined && stored.size === 0;
    return this.keys.isEnabled && !this.#remembers && isComplete;
  }

  /** The names of all keys are stored, or wait to be. */
  namesAdded(): void {
    this.#remembers = true;
    this.#changes += 1;
  }

  /** Returns the reason if the stored cursor belongs to another history than that of the cluster. */
  foreignTo(clusterId: string): 'cluster-changed' | 'restored' | undefined {
    // A proxy may name no cluster, which proves nothing.
    if (this.#cluster !== '' && clusterId !== '' && this.#cluster !== clusterId) return 'cluster-changed';
    return this.#created === this.#createRevision ? undefined : 'restored';
  }

  /** The progress belongs to the history of this cluster; empty if its id is unknown. */
  belongsTo(clusterId: string): void {
    if (clusterId !== '') this.#cluster = clusterId;
    this.#created = this.#createRevision;
  }

  /** Nothing that was stored applies to the history that is handled from now on. */
  forget(): void {
    this.#was = undefined;
    this.#poison = [];
    for (const positions of [this.#suspects, this.#suspectsLeft, this.#trying]) positions.clear();
  }

  /** Number of finished events that are not stored. */
  get unsaved(): number {
    return this.#finished - this.#storedFinished;
  }

  /** True if more than the revision would change. */
  get isDirty(): boolean {
    return this.#changes > this.#storedChanges || this.unsaved > 0 || this.keys.size > 0;
  }

  /** The number of revisions by which the stored cursor is behind. */
  get behind(): number {
    return this.progress.snapshot().r - this.#stored.r;
  }

  /** Number of events from the first unfinished one on that may have started. */
  get windowSize(): number {
    return this.#stalls >= SINGLE_CALL_STALLS ? 1 : WINDOW;
  }

  /** Progress under another number of partitions. */
  get was(): FormerPartitions | undefined {
    return this.#was;
  }

  /** The positions that are parked instead of being called. */
  get poison(): readonly string[] {
    return this.#poison;
  }

  get stalls(): number {
    return this.#stalls;
  }

  /** The next owner must know which events are being handled. Returns true if that is to be stored before the call. */
  begin(entry: ProgressEntry): boolean {
    if (this.#stalls === 0) return false;
    const { positions, revision, phaseKey } = entry;
    // No former owner has tried what was written after it.
    const isNew = phaseKey === undefined && revision > this.#token;
    if (isNew) return false;
    const tried = triedOf(positions);
    if (tried.every((position) => this.#trying.has(position))) return false;
    for (const position of tried) this.#trying.add(position);
    this.#changes += 1;
    return true;
  }

  /** The handler is done with the item. */
  finish(item: GroupItem): void {
    if (!item.isFinished) this.#finished += item.size;
    this.committed(item);
    if (this.keys.isEnabled) this.keys.add(item.changes);
  }

  /** A list is being handled from now on. */
  begun(): void {
    this.#changes += 1;
  }

  /**
   * Plans a write. It is to be followed by `stored` if it is applied.
   */
  plan(options: CursorPlanOptions = {}): PlannedCursor & PlannedMark {
    const { also = [], changes = [], release = false, interrupted = false } = options;
    const keys = this.keys.plan(changes);
    if (also.length === 0 && !release) this.#calm();
    const cursor: GroupCursor = {
      // Keys are remembered before the cursor moves past their events.
      ...(keys.isPartial ? placeOf(this.#stored) : this.#place(new Set(also))),
      stalls: this.#stalls,
      suspects: this.#stalls > 0 && this.#suspects.size > 0 ? [...this.#suspects] : undefined,
      trying: this.#stalls > 0 && this.#trying.size > 0 && !release ? [...this.#trying] : undefined,
      ...(release && { released: true, interrupted: interrupted ? true : undefined }),
    };
    const finished = keys.isPartial ? this.#storedFinished : this.#finished;
    return {
      cursor,
      operations: keys.operations,
      mark: { keys, finished, changes: this.#changes },
    };
  }

  #place(also: ReadonlySet<ProgressEntry>): CursorPlace {
    const progress = this.progress.snapshot(also);
    return {
      ...progress,
      cluster: this.#cluster,
      created: this.#created,
      remembers: this.#remembers ? true : undefined,
      was: this.#wasAt(progress),
    };
  }

  /** Progress under another number of partitions matters until the progress has passed it. */
  #wasAt({ r, phase }: CursorProgress): FormerPartitions | undefined {
    const isNeeded = this.#was?.cursors.some(
      (former) => phase ?? Math.max(former.r, ...former.done.map(revisionOf)) > r,
    );
    return isNeeded === true ? this.#was : undefined;
  }

  /** The planned write was applied. */
  stored({ cursor, mark: { keys, finished, changes } }: Pick<PlannedCursor & PlannedMark, 'cursor' | 'mark'>): void {
    this.keys.stored(keys);
    this.#stored = cursor;
    this.#storedFinished = finished;
    this.#storedChanges = changes;
  }

  /** An event was handled and stored by one write. To be called before `stored`. */
  committed(entry: ProgressEntry): void {
    this.progress.finish(entry);
    if (this.#trying.size === 0 && this.#suspectsLeft.size === 0) return;
    for (const position of entry.positions) {
      this.#trying.delete(position);
      this.#suspectsLeft.delete(position);
    }
  }

  /** Ends the precautions when the events are handled at which an owner may have died. */
  #calm(): void {
    if (this.#stalls === 0) return;
    const { r, phase } = this.progress.snapshot();
    const isPast = phase === undefined && r >= this.#token;
    if (!isPast && (this.#suspects.size === 0 || this.#suspectsLeft.size > 0)) return;
    this.#stalls = 0;
    this.#changes += 1;
  }
}

export interface CursorPlanOptions {
  /** These count as finished; only if the names that wait fit into the write: see `RememberedKeys`. */
  readonly also?: readonly ProgressEntry[];
  /** The changes of these, if names of keys are remembered. */
  readonly changes?: readonly ChangeEvent[];
  /** The partition is given up. */
  readonly release?: boolean;
  /** Calls have begun whose events are not handled. */
  readonly interrupted?: boolean;
}

/** The parts of the state that a planned write stores. */
export interface PlannedMark {
  readonly mark: {
    readonly keys: PlannedKeys;
    readonly finished: number;
    readonly changes: number;
  };
}

/** The part of a cursor that depends on the events that are handled. */
type CursorPlace = CursorProgress & Pick<GroupCursor, 'cluster' | 'created' | 'remembers' | 'was'>;

const placeOf = ({ r, done, phase, after, base, cluster, created, remembers, was }: GroupCursor): CursorPlace => ({
  r,
  done,
  phase,
  after,
  base,
  cluster,
  created,
  remembers,
  was,
});
