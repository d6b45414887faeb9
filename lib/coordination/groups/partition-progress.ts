import { type CursorProgress, type GroupCursor, isWithin, rangesOf, revisionOf, shortened } from './group-cursor.js';

/** An event, or all events of a batch, from its reception to the end of its last call. */
export interface ProgressEntry {
  /** One for each event of a batch. */
  readonly positions: readonly string[];
  readonly revision: number;
  /** The last key, for keys of a phase. */
  readonly phaseKey: string | undefined;
  /** Counts the entries of a partition. */
  readonly sequence: number;
  readonly isFinished: boolean;
  /** When it was received, by `performance.now()`. */
  readonly at: number;
}

type Entry = { -readonly [Name in keyof ProgressEntry]: ProgressEntry[Name] };

/** Knows which events of a partition were received and which of them are finished, and derives the cursor from that. */
export class PartitionProgress {
  /** In the order in which the events were received. */
  #entries: Entry[] = [];
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
  #passed: PassedEvents | undefined;
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

  /** An event, or the events of a batch, was received. `phaseKey`: the last key, for keys of a phase. */
  add(positions: readonly string[], revision: number, phaseKey?: string): ProgressEntry {
    const isFinished = this.#takeStored(positions);
    const entry: Entry = { positions, revision, phaseKey, sequence: this.#sequence, isFinished, at: performance.now() };
    this.#sequence += 1;
    this.#entries.push(entry);
    if (isFinished) this.#finished += 1;
    else if (phaseKey !== undefined) this.#phaseLeft += 1;
    this.#advance();
    return entry;
  }

  finish(entry: ProgressEntry): void {
    if (entry.isFinished) return;
    (entry as Entry).isFinished = true;
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

  /** @param also an entry that counts as finished */
  snapshot(also?: ProgressEntry): CursorProgress {
    const done: string[] = [];
    let passed = this.#passed;
    let after = this.#after;
    let first: Entry | undefined;
    let left = this.#finished + (also && !also.isFinished ? 1 : 0);
    for (let index = this.#head; left > 0 || first === undefined; index += 1) {
      const entry = this.#entries[index];
      if (!entry) break;
      const isFinished = entry.isFinished || entry === also;
      if (isFinished) left -= 1;
      if (!isFinished) first ??= entry;
      else if (first) done.push(...entry.positions);
      else {
        passed = passedWith(passed, entry);
        after = entry.phaseKey ?? after;
      }
    }
    // The cursor is before the revision of the first unfinished event, so the finished ones of that are remembered, too.
    if (first && passed?.revision === first.revision) done.unshift(...passed.positions);
    done.push(...this.#stored);
    const phaseLeft = this.#phaseLeft - (also?.phaseKey !== undefined && !also.isFinished ? 1 : 0);
    if (this.#phase && (phaseLeft > 0 || !this.#isListed)) return { ...this.#phase, done, after };
    return { r: first ? first.revision - 1 : this.#seen, done: this.#phase ? done.filter(isOfRevision) : done };
  }

  #takeStored(positions: readonly string[]): boolean {
    if (this.#stored.size === 0) return false;
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
      this.#passed = passedWith(this.#passed, entry);
      this.#finished -= 1;
      this.#head += 1;
    }
    if (this.#head === this.#entries.length || this.#head >= 1_024) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
  }
}

/** False for a key of a phase, which means nothing after it. */
const isOfRevision = (position: string): boolean => !position.startsWith('=');

interface PassedEvents {
  readonly revision: number;
  readonly positions: readonly string[];
}

/** The keys of a phase are remembered by the last one. */
function passedWith(passed: PassedEvents | undefined, entry: ProgressEntry): PassedEvents | undefined {
  const { revision, positions, phaseKey } = entry;
  if (phaseKey !== undefined) return passed;
  if (passed?.revision !== revision) return { revision, positions: shortened(positions) };
  return { revision, positions: shortened([...passed.positions, ...positions]) };
}
