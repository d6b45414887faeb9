import { type CursorProgress, type GroupCursor, isWithin, rangesOf, revisionOf, shortened } from './group-cursor.js';

/** The place of an event among all events of the target. */
export interface Place {
  /** Made when it is read. */
  readonly position: string;
}

/** An event, or all events of a batch, from its reception to the end of its last call. */
export class ProgressEntry<P extends Place = Place> {
  /** One for each event. */
  readonly places: readonly P[];
  readonly revision: number;
  /** The last key, for keys of a phase. */
  readonly phaseKey: string | undefined;
  /** When it was received, by `performance.now()`. */
  readonly at: number;
  /** Counts the entries of a partition; -1 before it is added to the progress. */
  sequence = -1;
  isFinished = false;
  #positions: readonly string[] | undefined;

  /**
   * @param phaseKey the last key, for keys of a phase
   * @param at when it was received, by `performance.now()`
   */
  constructor(places: readonly P[], revision: number, phaseKey?: string, at = performance.now()) {
    this.places = places;
    this.revision = revision;
    this.phaseKey = phaseKey;
    this.at = at;
  }

  /** Number of events. */
  get size(): number {
    return this.places.length;
  }

  /** The positions of the places, in their order. */
  get positions(): readonly string[] {
    return (this.#positions ??= this.places.map(({ position }) => position));
  }
}

const NONE: ReadonlySet<ProgressEntry> = new Set();

/** Knows which events of a partition were received and which of them are finished, and derives the cursor from that. */
export class PartitionProgress {
  /** In the order in which the events were received. */
  #entries: (ProgressEntry | undefined)[] = [];
  /** Index of the first entry that is not finished. */
  #head = 0;
  #sequence = 0;
  /** Everything up to this revision was received. */
  #seen: number;
  #phase:
    { readonly phase: 'initial' | 'resync'; readonly r: number; readonly base: CursorProgress | undefined } | undefined;
  #after: string;
  /** Number of entries of the phase that are not finished. */
  #phaseLeft = 0;
  /** True if all keys of the phase were added. */
  #isListed = true;
  /** Number of finished entries after the first unfinished one. */
  #finished = 0;
  /** The finished events before the first unfinished entry, of the last revision among them. */
  #passed = new PassedEvents();
  /** Handled positions of the stored cursor whose events have not been received again. */
  readonly #stored: Set<string>;
  readonly #storedRanges: ReadonlyMap<number, number>;

  constructor({ r, done, phase, after = '', base }: GroupCursor) {
    this.#seen = r;
    this.#stored = new Set(done);
    this.#storedRanges = rangesOf(done);
    this.#after = after;
    if (phase === 'initial' || phase === 'resync') {
      this.#phase = { phase, r, base };
      this.#isListed = false;
    }
  }

  /** Handled positions of the stored cursor whose events have not been received again. */
  get stored(): ReadonlySet<string> {
    return this.#stored;
  }

  /** Everything up to this revision was received. */
  get revision(): number {
    return this.#seen;
  }

  /** The list that is being handled. */
  get phase(): 'initial' | 'resync' | undefined {
    return this.#phase?.phase;
  }

  /** True if every event that was received is finished. */
  get isIdle(): boolean {
    return this.#head === this.#entries.length;
  }

  /** Milliseconds since the oldest event was received that is not finished; 0 without one. */
  get ageMs(): number {
    const first = this.#entries[this.#head];
    return first ? performance.now() - first.at : 0;
  }

  /** Number of entries after the first unfinished one, including that: finished ones among them must be remembered. */
  get window(): number {
    return this.#entries.length - this.#head;
  }

  /** Sequence of the first entry that is not finished. */
  get headSequence(): number {
    return this.#entries[this.#head]?.sequence ?? this.#sequence;
  }

  /** Begins to handle a list. All earlier events must be finished. */
  beginPhase(phase: 'initial' | 'resync', r: number, base: CursorProgress | undefined): void {
    this.#phase = { phase, r, base };
    this.#after = '';
    this.#seen = r;
    this.#isListed = false;
    this.#stored.clear();
  }

  /** All keys of the phase were added. */
  listed(): void {
    this.#isListed = true;
    this.#endPhase();
  }

  /** An event, or the events of a batch, was received. It is finished already if the stored cursor says so. */
  add<Entry extends ProgressEntry>(entry: Entry): Entry {
    entry.sequence = this.#sequence;
    this.#sequence += 1;
    this.#entries.push(entry);
    if (this.#stored.size > 0 && this.#takeStored(entry.positions)) {
      entry.isFinished = true;
      this.#finished += 1;
      this.#advance();
    } else if (entry.phaseKey !== undefined) this.#phaseLeft += 1;
    return entry;
  }

  finish(entry: ProgressEntry): void {
    if (entry.isFinished) return;
    entry.isFinished = true;
    this.#finished += 1;
    if (entry.phaseKey !== undefined) this.#phaseLeft -= 1;
    this.#advance();
    this.#endPhase();
  }

  /** Everything up to this revision was received. */
  seen(revision: number): void {
    if (revision <= this.#seen) return;
    this.#seen = revision;
    for (const position of this.#stored)
      if (isOfRevision(position) && revisionOf(position) <= revision) this.#stored.delete(position);
  }

  /** @param also entries that count as finished */
  snapshot(also: ReadonlySet<ProgressEntry> = NONE): CursorProgress {
    const done: string[] = [];
    const passed = this.#passed.copy();
    let after = this.#after;
    let first: ProgressEntry | undefined;
    const unfinished = [...also].filter(({ isFinished }) => !isFinished);
    let left = this.#finished + unfinished.length;
    for (let index = this.#head; left > 0 || first === undefined; index += 1) {
      const entry = this.#entries[index];
      if (!entry) break;
      const isFinished = entry.isFinished || also.has(entry);
      if (isFinished) left -= 1;
      if (!isFinished) first ??= entry;
      else if (first) done.push(...entry.positions);
      else {
        passed.add(entry);
        after = entry.phaseKey ?? after;
      }
    }
    // The cursor is before the revision of the first unfinished event, so the finished ones of that are remembered, too.
    if (passed.revision === first?.revision) done.unshift(...passed.positions);
    done.push(...this.#stored);
    const phaseLeft = this.#phaseLeft - unfinished.filter(({ phaseKey }) => phaseKey !== undefined).length;
    if (this.#phase && (phaseLeft > 0 || !this.#isListed)) return { ...this.#phase, done, after };
    return { r: first ? first.revision - 1 : this.#seen, done: this.#phase ? done.filter(isOfRevision) : done };
  }

  #takeStored(positions: readonly string[]): boolean {
    const ranges = this.#storedRanges;
    const handled = positions.filter((position) => this.#stored.delete(position) || isWithin(ranges, position));
    return handled.length === positions.length;
  }

  #endPhase(): void {
    if (!this.#phase || !this.#isListed || this.#phaseLeft > 0) return;
    this.#phase = undefined;
    for (const position of this.#stored) if (!isOfRevision(position)) this.#stored.delete(position);
  }

  #advance(): void {
    for (let entry = this.#entries[this.#head]; entry?.isFinished; entry = this.#entries[this.#head]) {
      this.#after = entry.phaseKey ?? this.#after;
      this.#passed.add(entry);
      this.#finished -= 1;
      this.#entries[this.#head] = undefined;
      this.#head += 1;
    }
    if (this.#head >= 1_024) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
  }
}

/** False for a key of a phase, which means nothing after it. */
const isOfRevision = (position: string): boolean => !position.startsWith('=');

/** The events of the last revision that were passed. The keys of a phase are remembered by the last one. */
class PassedEvents {
  #revision: number;
  readonly #entries: ProgressEntry[];

  constructor(revision = 0, entries: ProgressEntry[] = []) {
    this.#revision = revision;
    this.#entries = entries;
  }

  get revision(): number {
    return this.#revision;
  }

  get positions(): readonly string[] {
    return shortened(this.#entries.flatMap(({ positions }) => positions));
  }

  add(entry: ProgressEntry): void {
    if (entry.phaseKey !== undefined) return;
    if (entry.revision !== this.#revision) this.#entries.length = 0;
    this.#revision = entry.revision;
    this.#entries.push(entry);
  }

  copy(): PassedEvents {
    return new PassedEvents(this.#revision, [...this.#entries]);
  }
}
