import { differenceBetween, isSameWrite, within } from './difference.js';
import type { Change, Entry, Loss, SeenEvent, SeenNotice } from './listener-history.js';
import { applyTo, type State, type StoreHistory } from './store-history.js';
import { CheckResult } from './check-result.js';

/** Properties of a listener that the checker needs. */
export interface CheckedListener {
  readonly name: string;
  readonly includes: (key: string) => boolean;
  /** `'list'` if the listener received the existing keys first, else the first revision that it requested. */
  readonly begin: 'list' | number;
  /** Index of the store's incarnation in which it began. */
  readonly incarnation: number;
}

/**
 * Checks the history of one listener against the store's history, entry by entry. It requires that every change of the
 * range is delivered exactly once, in revision order, as whole revisions and with the right `previous`. Changes may be
 * missing only inside a resync that was announced, that the store's history requires and that delivered the correct
 * difference.
 */
export class HistoryChecker {
  readonly result: CheckResult;
  readonly #listener: CheckedListener;
  readonly #storeHistory: StoreHistory;
  #incarnation: number;
  #known = new Map<string, Change>();
  /** First revision that is not checked yet. Undefined until the initial events have been compared. */
  #next: number | undefined;
  #initial: SeenEvent[] = [];
  /** Revision of the initial list, if it was delivered as a batch. */
  #initialRevision: number | undefined;
  /** Changes of the current revision that have not been delivered yet. */
  #remaining = new Map<string, Change>();
  #at = 0;
  /** Skipped changes. They count as missed unless they are delivered later. */
  readonly #skipped = new Map<string, Change>();
  #losses: Loss[] = [];
  #notices: SeenNotice[] = [];
  /** Changes of the current resync that have not been delivered yet. */
  #difference: Map<string, Change> | undefined;

  constructor(listener: CheckedListener, storeHistory: StoreHistory) {
    this.#listener = listener;
    this.#storeHistory = storeHistory;
    this.#incarnation = listener.incarnation;
    this.result = new CheckResult(listener.name);
    if (listener.begin !== 'list') {
      this.#known = this.#stateAt(listener.begin - 1);
      this.#next = listener.begin;
    }
  }

  check(entry: Entry): void {
    if (entry.kind === 'event') this.#checkEvent(entry.event);
    else if (entry.kind === 'notice') this.#notices.push(entry.notice);
    else if (entry.kind === 'loss') this.#losses.push(entry.loss);
    else {
      for (const event of entry.events) this.#checkEvent(event, entry.revision);
      this.#closeRevision();
    }
  }

  /**
   * Ends the check at `revision`, up to which all events have been delivered.
   * @param contents contents of etcd at that revision
   */
  finish(revision: number, contents: State): void {
    for (let notice = this.#notices.shift(); notice; notice = this.#notices.shift()) this.#beginResync(notice);
    this.#closeDifference();
    this.#compareInitial(revision);
    this.#closeRevision();
    this.#skipTo(revision);
    for (const { key, revision: missed } of this.#skipped.values()) {
      this.result.add('missed', `revision ${missed} of "${key}" was not delivered`);
    }
    this.#skipped.clear();
    for (const loss of this.#losses) if (loss.kind === 'replaced') this.#unannounced('the store was replaced');
    this.#losses = [];
    this.#compareState(revision, within(contents, this.#listener.includes));
  }

  #checkEvent(event: SeenEvent, batchRevision = event.revision): void {
    this.result.delivered += 1;
    if (event.origin === 'initial') {
      if (this.#next === undefined) this.#initial.push(event);
      else this.result.add('duplicate', `"${event.key}" was delivered as initial after live events`);
      if (batchRevision !== event.revision) this.#initialRevision = batchRevision;
    } else if (event.origin === 'resync') this.#checkResyncEvent(event);
    else {
      if (this.#notices[0] && this.#isAfter(event, this.#notices[0]))
        this.#beginResync(this.#notices.shift() as SeenNotice);
      this.#closeDifference();
      this.#compareInitial(event.revision - 1);
      if (batchRevision !== event.revision) {
        this.result.add(
          'torn',
          `"${event.key}" of revision ${event.revision} was delivered in a batch of revision ${batchRevision}`,
        );
      }
      this.#checkLive(event);
    }
  }

  #checkLive(event: SeenEvent): void {
    const { key, revision } = event;
    const change = this.#changesAt(revision).find((candidate) => candidate.key === key);
    if (!change) {
      this.result.add('never written', `revision ${revision} of "${key}" was never written`);
      return;
    }
    if (revision >= (this.#next as number)) {
      this.#closeRevision();
      this.#skipTo(revision - 1);
      this.#remaining = new Map(this.#changesAt(revision).map((each) => [each.key, each]));
      this.#at = revision;
      this.#next = revision + 1;
    } else if (revision !== this.#at || !this.#remaining.has(key)) {
      const isLate = this.#skipped.delete(idOf(change));
      if (isLate) this.result.add('out of order', `revision ${revision} of "${key}" was delivered after ${this.#at}`);
      else this.result.add('duplicate', `revision ${revision} of "${key}" was delivered again after ${this.#at}`);
      return;
    }
    this.#remaining.delete(key);
    this.#compareEvent(event, change);
  }

  /** Called when a new revision begins or a batch ends: the previous revision must be complete. */
  #closeRevision(): void {
    if (this.#remaining.size === 0) return;
    const keys = [...this.#remaining.keys()];
    this.result.add(
      'torn',
      `revision ${this.#at} was delivered without ${keys.length} of its keys, for example "${String(keys[0])}"`,
    );
    for (const change of this.#remaining.values()) this.#skipped.set(idOf(change), change);
    this.#remaining.clear();
  }

  /** Marks the revisions from the cursor up to `last` as skipped. */
  #skipTo(last: number): void {
    const next = this.#next as number;
    if (last < next) return;
    for (let revision = next; revision <= last; revision += 1) {
      for (const change of this.#changesAt(revision)) this.#skipped.set(idOf(change), change);
    }
    const first = this.#storeHistory.incarnation(this.#incarnation).nextIn(this.#listener.includes, next, last);
    const compaction = this.#losses.find((loss) => loss.kind === 'compacted' && first && first <= loss.revision);
    if (compaction) this.#unannounced(`revisions from ${String(first)} on were compacted`);
    this.#next = last + 1;
    this.#losses = this.#losses.filter((loss) => loss.kind !== 'compacted' || loss.revision > last);
  }

  #unannounced(why: string): void {
    this.result.resyncsExpected += 1;
    this.result.add('unannounced resync', `${why}, and no resync was announced`);
  }

  /** A notice may arrive before older events that are still queued. */
  #isAfter(event: SeenEvent, { reason, toRevision }: SeenNotice): boolean {
    return reason !== 'compacted' || event.revision > toRevision;
  }

  #checkResyncEvent(event: SeenEvent): void {
    while (!this.#difference?.has(event.key) && this.#notices[0])
      this.#beginResync(this.#notices.shift() as SeenNotice);
    const change = this.#difference?.get(event.key);
    if (change) {
      this.#difference?.delete(event.key);
      this.#compareEvent(event, change);
    } else this.result.add('unannounced resync', `"${event.key}" was delivered as a resync event without a notice`);
  }

  #beginResync(notice: SeenNotice): void {
    const { fromRevision, toRevision, reason } = notice;
    this.#closeDifference();
    this.#compareInitial(fromRevision - 1);
    this.#closeRevision();
    this.#skipTo(fromRevision - 1);
    this.result.resyncsReported += 1;
    const isNeeded = this.#losses.some((loss) =>
      loss.kind === 'compacted' ? reason === 'compacted' && loss.revision >= fromRevision : reason !== 'compacted',
    );
    if (isNeeded) this.result.resyncsExpected += 1;
    else
      this.result.add(
        'unnecessary resync',
        `from ${fromRevision} to ${toRevision} (${reason}), although no history was lost`,
      );
    for (const loss of this.#losses) if (loss.kind === 'replaced') this.#incarnation = loss.incarnation;
    this.#losses = [];
    this.#difference = differenceBetween(this.#known, this.#stateAt(toRevision), toRevision);
    this.#next = toRevision + 1;
    this.#at = toRevision;
  }

  #closeDifference(): void {
    for (const { key } of this.#difference?.values() ?? []) {
      this.result.add('missed', `a resync was delivered without "${key}"`);
    }
    this.#difference = undefined;
  }

  /** The initial events must equal the store's state just before the first live event, so that there is no gap. */
  #compareInitial(revision: number): void {
    if (this.#next !== undefined) return;
    const listed = this.#initialRevision ?? revision;
    const contents = this.#stateAt(listed);
    this.#next = listed + 1;
    this.#at = listed;
    for (const event of this.#initial) {
      const change = contents.get(event.key);
      if (change) this.#compareEvent(event, change);
      else
        this.result.add(
          'never written',
          `the initial list has "${event.key}", which does not exist at revision ${listed}`,
        );
    }
    if (this.#initial.length > this.#known.size) this.result.add('duplicate', 'the initial list has a key twice');
    for (const key of contents.keys()) {
      if (!this.#known.has(key))
        this.result.add('missed', `"${key}" is missing from the initial list of revision ${listed}`);
    }
    this.#known = contents;
    this.#initial = [];
  }

  #compareEvent(event: SeenEvent, change: Change): void {
    const { key, revision, details } = event;
    const seen: Change = { ...change, type: event.type, value: event.value, revision, ...details };
    if (seen.type !== change.type || !isSameWrite(seen, change)) {
      this.result.add('wrong event', `revision ${revision} of "${key}" is not what was written`);
    }
    if (event.previous !== this.#known.get(key)?.value) {
      this.result.add(
        'wrong previous',
        `revision ${revision} of "${key}" has a previous value that differs from the last delivered one`,
      );
    }
    applyTo(this.#known, [change]);
  }

  #compareState(revision: number, contents: State): void {
    for (const { key } of differenceBetween(this.#known, contents, revision).values()) {
      this.result.add(
        'wrong state',
        `at revision ${revision} the state built from its events differs from etcd for "${key}"`,
      );
    }
  }

  #changesAt(revision: number): Change[] {
    return this.#storeHistory
      .incarnation(this.#incarnation)
      .changesAt(revision)
      .filter(({ key }) => this.#listener.includes(key));
  }

  #stateAt(revision: number): Map<string, Change> {
    return within(this.#storeHistory.incarnation(this.#incarnation).stateAt(revision), this.#listener.includes);
  }
}

const idOf = ({ key, revision }: Change): string => `${revision} ${key}`;
