import type { Operation } from '../../backend/key-value-store.js';
import type { Deliverable } from '../../watch/delivery/event-buffer.js';
import type { ChangeEvent } from '../../watch/stream/change-event.js';
import type { PlannedCursor } from './cursor-writer.js';
import { type FormerPartitions, type GroupCursor, poisonOf, revisionOf, SINGLE_CALL_STALLS } from './group-cursor.js';
import { PartitionProgress, type ProgressEntry } from './partition-progress.js';

export interface PartitionCursorOptions {
  readonly cursor: GroupCursor;
  /** The create revision of the owner key. */
  readonly token: number;
  /** Raw prefix of the remembered keys; `undefined`: nothing is remembered. */
  readonly rememberedPrefix: string | undefined;
}

/** The number of remembered keys that one write changes at most. */
const MAX_KEYS = 100;
/** The number of events from the first unfinished one on that may have started. */
const WINDOW = 256;

/** The cursor of an owned partition as it would be stored now, and how much of it is not stored yet. */
export class PartitionCursor {
  readonly progress: PartitionProgress;
  readonly #token: number;
  readonly #prefix: string | undefined;
  readonly #was: FormerPartitions | undefined;
  readonly #suspects: ReadonlySet<string>;
  /** Suspects that have not been handled since this instance owns the partition. */
  readonly #suspectsLeft: Set<string>;
  readonly #trying = new Set<string>();
  /** Keys to remember (true) or to forget, which are not stored yet. */
  readonly #keys = new Map<string, boolean>();
  #stored: GroupCursor;
  #stalls: number;
  #finished = 0;
  #storedFinished = 0;
  /** Changes other than finished events, and how many of them are stored. */
  #changes = 0;
  #storedChanges = 0;
  cluster: string;

  constructor({ cursor, token, rememberedPrefix }: PartitionCursorOptions) {
    this.progress = new PartitionProgress(cursor);
    this.#token = token;
    this.#prefix = rememberedPrefix;
    this.#was = cursor.was;
    this.#suspects = new Set(cursor.suspects);
    this.#suspectsLeft = new Set(cursor.suspects);
    this.#stored = cursor;
    this.#stalls = cursor.stalls;
    this.cluster = cursor.cluster;
  }

  /** Number of finished events that are not stored. */
  get unsaved(): number {
    return this.#finished - this.#storedFinished;
  }

  /** True if more than the revision would change. */
  get isDirty(): boolean {
    return this.#changes > this.#storedChanges || this.unsaved > 0 || this.#keys.size > 0;
  }

  /** The number of revisions by which the stored cursor is behind. */
  get behind(): number {
    return this.progress.snapshot().r - this.#stored.r;
  }

  /** True if keys are to be remembered or forgotten. */
  get hasKeys(): boolean {
    return this.#keys.size > 0;
  }

  /** True if so many keys are to be remembered that they need a write now. */
  get hasManyKeys(): boolean {
    return this.#keys.size >= MAX_KEYS;
  }

  /** Number of events from the first unfinished one on that may have started. */
  get windowSize(): number {
    return this.#stalls >= SINGLE_CALL_STALLS ? 1 : WINDOW;
  }

  /** Progress under another number of partitions, as long as it matters. */
  get was(): FormerPartitions | undefined {
    const { r, phase } = this.progress.snapshot();
    const isNeeded = this.#was?.cursors.some(
      (former) => phase ?? Math.max(former.r, ...former.done.map(revisionOf)) > r,
    );
    return isNeeded === true ? this.#was : undefined;
  }

  /** The positions that are parked instead of being called. */
  get poison(): readonly string[] {
    return poisonOf(this.#stored);
  }

  get stalls(): number {
    return this.#stalls;
  }

  /** The next owner must know which events are being handled. Returns true if that is to be stored before the call. */
  begin({ positions, revision, phaseKey }: ProgressEntry): boolean {
    // No former owner has tried what was written after it.
    const isNew = phaseKey === undefined && revision > this.#token;
    if (this.#stalls === 0 || isNew || positions.every((position) => this.#trying.has(position))) return false;
    for (const position of positions) this.#trying.add(position);
    this.#changes += 1;
    return true;
  }

  finish(entry: ProgressEntry, subject: Deliverable): void {
    if (!entry.isFinished) this.#finished += entry.positions.length;
    this.committed(entry);
    for (const [rawKey, isThere] of this.#keysOf(subject)) this.#keys.set(rawKey, isThere);
  }

  /** A list is being handled from now on. */
  begun(): void {
    this.#changes += 1;
  }

  /**
   * Plans a write. It is to be followed by `stored` if it is applied.
   * @param also an event that counts as finished
   */
  plan({ also, release = false, interrupted = false }: CursorPlanOptions = {}): PlannedCursor & PlannedMark {
    const pending = [...this.#keys].slice(0, MAX_KEYS);
    const isPartial = this.#keys.size > pending.length;
    const keys = also ? [...pending, ...this.#keysOf(also.subject)] : pending;
    if (!also && !release) this.#calm();
    const cursor: GroupCursor = {
      // Keys are remembered before the cursor moves past their events.
      ...(isPartial && !also ? progressOf(this.#stored) : this.progress.snapshot(also?.entry)),
      cluster: this.cluster,
      stalls: this.#stalls,
      suspects: this.#stalls > 0 && this.#suspects.size > 0 ? [...this.#suspects] : undefined,
      trying: this.#stalls > 0 && this.#trying.size > 0 && !release ? [...this.#trying] : undefined,
      was: this.was,
      ...(release && { released: true, interrupted: interrupted ? true : undefined }),
    };
    const finished = isPartial ? this.#storedFinished : this.#finished;
    return {
      cursor,
      operations: keys.flatMap((key) => this.#operationOf(key)),
      mark: { keys, finished, changes: this.#changes },
    };
  }

  /** The planned write was applied. */
  stored({ cursor, mark: { keys, finished, changes } }: Pick<PlannedCursor & PlannedMark, 'cursor' | 'mark'>): void {
    for (const [rawKey, isThere] of keys) if (this.#keys.get(rawKey) === isThere) this.#keys.delete(rawKey);
    this.#stored = cursor;
    this.#storedFinished = finished;
    this.#storedChanges = changes;
  }

  /** An event was handled and stored by one write. To be called before `stored`. */
  committed(entry: ProgressEntry): void {
    this.progress.finish(entry);
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

  /** The keys to remember (true) or to forget (false) after these events. */
  #keysOf(subject: Deliverable): [string, boolean][] {
    if (this.#prefix === undefined) return [];
    const events: readonly ChangeEvent[] = 'events' in subject ? subject.events : [subject];
    return events
      .filter(({ type, version, origin }) => type === 'delete' || version === 1 || origin !== 'live')
      .map(({ rawKey, type }) => [rawKey, type === 'put']);
  }

  #operationOf([rawKey, isThere]: readonly [string, boolean]): Operation[] {
    if (this.#prefix === undefined) return [];
    const whole = this.#prefix + rawKey;
    return [isThere ? { type: 'put', rawKey: whole, value: Buffer.alloc(0) } : { type: 'delete', rawKey: whole }];
  }
}

export interface CursorPlanOptions {
  readonly also?: { readonly entry: ProgressEntry; readonly subject: Deliverable };
  /** The partition is given up. */
  readonly release?: boolean;
  /** Calls have begun whose events are not handled. */
  readonly interrupted?: boolean;
}

/** The parts of the state that a planned write stores. */
export interface PlannedMark {
  readonly mark: {
    readonly keys: readonly (readonly [string, boolean])[];
    readonly finished: number;
    readonly changes: number;
  };
}

const progressOf = ({ r, done, phase, after, base }: GroupCursor): ReturnType<PartitionProgress['snapshot']> => ({
  r,
  done,
  phase,
  after,
  base,
});
