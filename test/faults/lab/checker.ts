import { differenceBetween, isSameWrite, within } from './difference.js';
import type { Change, Entry, Loss, SeenEvent, SeenNotice } from './history.js';
import { applyTo, type State, type Truth } from './truth.js';
import { Verdict } from './verdict.js';

/** A listener, as far as it must be known to judge its history. */
export interface JudgedListener {
  readonly name: string;
  readonly includes: (key: string) => boolean;
  /** It was given what existed first, or every change from this revision on. */
  readonly begin: 'list' | number;
  /** Number of the store's past in which it began. */
  readonly past: number;
}

/**
 * Judges the history of one listener against the truth, entry by entry: every change of its range exactly once, in revision order, no revision
 * torn, `previous` right; what was not delivered lies in a resync that was announced, that the truth calls for, and that made the right difference.
 */
export class HistoryChecker {
  readonly verdict: Verdict;
  readonly #listener: JudgedListener;
  readonly #truth: Truth;
  #past: number;
  #known = new Map<string, Change>();
  /** First revision not accounted for; undefined until what it was given first has been compared. */
  #next: number | undefined;
  #initial: SeenEvent[] = [];
  /** Which list that was, where it came as a batch that says so. */
  #initialRevision: number | undefined;
  /** What is still to come of the revision that is being delivered. */
  #rest = new Map<string, Change>();
  #at = 0;
  /** What was passed over: missed, unless it comes too late. */
  readonly #skipped = new Map<string, Change>();
  #losses: Loss[] = [];
  #notices: SeenNotice[] = [];
  /** What is still to come of the difference that is being delivered. */
  #difference: Map<string, Change> | undefined;

  constructor(listener: JudgedListener, truth: Truth) {
    this.#listener = listener;
    this.#truth = truth;
    this.#past = listener.past;
    this.verdict = new Verdict(listener.name);
    if (listener.begin !== 'list') {
      this.#known = this.#stateAt(listener.begin - 1);
      this.#next = listener.begin;
    }
  }

  take(entry: Entry): void {
    if (entry.kind === 'event') this.#event(entry.event);
    else if (entry.kind === 'notice') this.#notices.push(entry.notice);
    else if (entry.kind === 'loss') this.#losses.push(entry.loss);
    else {
      for (const event of entry.events) this.#event(event, entry.revision);
      this.#closeRevision();
    }
  }

  /** Everything up to `revision` has been delivered, and this is what etcd holds there. */
  settle(revision: number, held: State): void {
    for (let notice = this.#notices.shift(); notice; notice = this.#notices.shift()) this.#resync(notice);
    this.#closeDifference();
    this.#compareInitial(revision);
    this.#closeRevision();
    this.#passOver(revision);
    for (const { key, revision: missed } of this.#skipped.values()) {
      this.verdict.add('missed', `revision ${missed} of "${key}" never came`);
    }
    this.#skipped.clear();
    for (const loss of this.#losses) if (loss.kind === 'replaced') this.#undeclared('the store was replaced');
    this.#losses = [];
    this.#compareState(revision, within(held, this.#listener.includes));
  }

  #event(event: SeenEvent, batchRevision = event.revision): void {
    this.verdict.delivered += 1;
    if (event.origin === 'initial') {
      if (this.#next === undefined) this.#initial.push(event);
      else this.verdict.add('repeated', `"${event.key}" came as initial when live events had come`);
      if (batchRevision !== event.revision) this.#initialRevision = batchRevision;
    } else if (event.origin === 'resync') this.#resynced(event);
    else {
      if (this.#notices[0] && this.#isAfter(event, this.#notices[0])) this.#resync(this.#notices.shift() as SeenNotice);
      this.#closeDifference();
      this.#compareInitial(event.revision - 1);
      if (batchRevision !== event.revision) {
        this.verdict.add('torn', `"${event.key}" of revision ${event.revision} came in a batch of ${batchRevision}`);
      }
      this.#live(event);
    }
  }

  #live(event: SeenEvent): void {
    const { key, revision } = event;
    const change = this.#changesAt(revision).find((candidate) => candidate.key === key);
    if (!change) {
      this.verdict.add('invented', `revision ${revision} of "${key}" was never written`);
      return;
    }
    if (revision >= (this.#next as number)) {
      this.#closeRevision();
      this.#passOver(revision - 1);
      this.#rest = new Map(this.#changesAt(revision).map((each) => [each.key, each]));
      this.#at = revision;
      this.#next = revision + 1;
    } else if (revision !== this.#at || !this.#rest.has(key)) {
      const isLate = this.#skipped.delete(idOf(change));
      if (isLate) this.verdict.add('disordered', `revision ${revision} of "${key}" came after ${this.#at}`);
      else this.verdict.add('repeated', `revision ${revision} of "${key}" came again after ${this.#at}`);
      return;
    }
    this.#rest.delete(key);
    this.#compareEvent(event, change);
  }

  /** A new revision begins, or the batch ends: the one before must be whole. */
  #closeRevision(): void {
    if (this.#rest.size === 0) return;
    const keys = [...this.#rest.keys()];
    this.verdict.add('torn', `revision ${this.#at} came without ${keys.length} of its keys, as "${String(keys[0])}"`);
    for (const change of this.#rest.values()) this.#skipped.set(idOf(change), change);
    this.#rest.clear();
  }

  /** Nothing was delivered from the cursor up to `last`. */
  #passOver(last: number): void {
    const next = this.#next as number;
    if (last < next) return;
    for (let revision = next; revision <= last; revision += 1) {
      for (const change of this.#changesAt(revision)) this.#skipped.set(idOf(change), change);
    }
    const first = this.#truth.past(this.#past).nextIn(this.#listener.includes, next, last);
    const compaction = this.#losses.find((loss) => loss.kind === 'compacted' && first && first <= loss.revision);
    if (compaction) this.#undeclared(`revisions from ${String(first)} on were compacted`);
    this.#next = last + 1;
    this.#losses = this.#losses.filter((loss) => loss.kind !== 'compacted' || loss.revision > last);
  }

  #undeclared(why: string): void {
    this.verdict.resyncsNeeded += 1;
    this.verdict.add('undeclared resync', `${why}, and no resync was announced`);
  }

  /** An announcement may overtake events that wait in a queue. */
  #isAfter(event: SeenEvent, { reason, toRevision }: SeenNotice): boolean {
    return reason !== 'compacted' || event.revision > toRevision;
  }

  #resynced(event: SeenEvent): void {
    while (!this.#difference?.has(event.key) && this.#notices[0]) this.#resync(this.#notices.shift() as SeenNotice);
    const change = this.#difference?.get(event.key);
    if (change) {
      this.#difference?.delete(event.key);
      this.#compareEvent(event, change);
    } else this.verdict.add('undeclared resync', `"${event.key}" came as a difference that nobody announced`);
  }

  #resync(notice: SeenNotice): void {
    const { fromRevision, toRevision, reason } = notice;
    this.#closeDifference();
    this.#compareInitial(fromRevision - 1);
    this.#closeRevision();
    this.#passOver(fromRevision - 1);
    this.verdict.resyncsGiven += 1;
    const isNeeded = this.#losses.some((loss) =>
      loss.kind === 'compacted' ? reason === 'compacted' && loss.revision >= fromRevision : reason !== 'compacted',
    );
    if (isNeeded) this.verdict.resyncsNeeded += 1;
    else
      this.verdict.add(
        'unneeded resync',
        `from ${fromRevision} to ${toRevision} (${reason}), which nothing called for`,
      );
    for (const loss of this.#losses) if (loss.kind === 'replaced') this.#past = loss.past;
    this.#losses = [];
    this.#difference = differenceBetween(this.#known, this.#stateAt(toRevision), toRevision);
    this.#next = toRevision + 1;
    this.#at = toRevision;
  }

  #closeDifference(): void {
    for (const { key } of this.#difference?.values() ?? []) {
      this.verdict.add('missed', `the difference of a resync came without "${key}"`);
    }
    this.#difference = undefined;
  }

  /** What was given first is what the store held just before the first live event: there is no gap. */
  #compareInitial(revision: number): void {
    if (this.#next !== undefined) return;
    const listed = this.#initialRevision ?? revision;
    const held = this.#stateAt(listed);
    this.#next = listed + 1;
    this.#at = listed;
    for (const event of this.#initial) {
      const change = held.get(event.key);
      if (change) this.#compareEvent(event, change);
      else this.verdict.add('invented', `the first list has "${event.key}", which is not there at revision ${listed}`);
    }
    if (this.#initial.length > this.#known.size) this.verdict.add('repeated', 'the first list has a key twice');
    for (const key of held.keys()) {
      if (!this.#known.has(key)) this.verdict.add('missed', `"${key}" is not in the first list, of revision ${listed}`);
    }
    this.#known = held;
    this.#initial = [];
  }

  #compareEvent(event: SeenEvent, change: Change): void {
    const { key, revision, details } = event;
    const seen: Change = { ...change, type: event.type, value: event.value, revision, ...details };
    if (seen.type !== change.type || !isSameWrite(seen, change)) {
      this.verdict.add('wrong event', `revision ${revision} of "${key}" is not what was written`);
    }
    if (event.previous !== this.#known.get(key)?.value) {
      this.verdict.add(
        'wrong previous',
        `revision ${revision} of "${key}" has another previous value than it was given`,
      );
    }
    applyTo(this.#known, [change]);
  }

  #compareState(revision: number, held: State): void {
    for (const { key } of differenceBetween(this.#known, held, revision).values()) {
      this.verdict.add('wrong state', `at revision ${revision} its events do not make what etcd holds of "${key}"`);
    }
  }

  #changesAt(revision: number): Change[] {
    return this.#truth
      .past(this.#past)
      .changesAt(revision)
      .filter(({ key }) => this.#listener.includes(key));
  }

  #stateAt(revision: number): Map<string, Change> {
    return within(this.#truth.past(this.#past).stateAt(revision), this.#listener.includes);
  }
}

const idOf = ({ key, revision }: Change): string => `${revision} ${key}`;
