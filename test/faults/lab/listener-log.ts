import type { ConfigChange, ResyncNotice, WatchBatch, WatchEvent } from 'nestjs-etcd-trigger';
import { HistoryChecker, type CheckedListener } from './checker.js';
import type { Entry, Loss, SeenEvent } from './listener-history.js';
import { inRevisionOrder } from './key-order.js';
import type { State, StoreHistory } from './store-history.js';
import { fingerprint } from './store-recorder.js';
import type { CheckResult } from './check-result.js';

export interface LoggedListener extends CheckedListener {
  /** Key of its range that the laboratory writes to see whether the listener follows. */
  readonly touchKey: string;
  /** True if the listener handles several keys at once, so that only the order per key is guaranteed. */
  readonly isConcurrent?: boolean;
}

/** Records the history of one listener and checks it in parts. */
export class ListenerLog {
  readonly name: string;
  #entries: Entry[] = [];
  readonly #checker: HistoryChecker;
  readonly #listener: LoggedListener;
  /** Times at which it received the writes of its touch key, by revision. */
  readonly #touches = new Map<number, number>();
  /** Resync events of the store. Their notice follows later in the same step. */
  #unannounced: Entry[] = [];

  constructor(listener: LoggedListener, storeHistory: StoreHistory) {
    this.name = listener.name;
    this.#listener = listener;
    this.#checker = new HistoryChecker(listener, storeHistory);
  }

  get result(): CheckResult {
    return this.#checker.result;
  }

  readonly onEvent = (event: WatchEvent): void => {
    this.#push({ kind: 'event', event: seen(event) });
  };

  readonly onBatch = ({ revision, events }: WatchBatch): void => {
    this.#push({ kind: 'batch', revision, events: events.map(seen) });
  };

  readonly onNotice = ({ fromRevision, toRevision, reason }: ResyncNotice): void => {
    this.#entries.push({ kind: 'notice', notice: { fromRevision, toRevision, reason } }, ...this.#unannounced);
    this.#unannounced = [];
  };

  /** Records a change of the store. The store delivers resync changes before the notice. */
  readonly onChange = ({ type, key, value, previous, revision, origin }: ConfigChange): void => {
    const event: SeenEvent = { type, key, value: textOf(value), previous: textOf(previous), revision, origin };
    if (origin === 'resync') this.#unannounced.push(this.#touched({ kind: 'event', event }));
    else this.#push({ kind: 'event', event });
  };

  /** Records that a fault has removed history. */
  recordLoss(loss: Loss): void {
    this.#entries.push({ kind: 'loss', loss });
    // Revisions of the old store cannot be compared with those of the new one.
    if (loss.kind === 'replaced') this.#touches.clear();
  }

  /** Returns the time at which it received this write of its touch key or a later one, or undefined. */
  touchedAt(revision: number): number | undefined {
    return [...this.#touches].find(([touched]) => touched >= revision)?.[1];
  }

  /**
   * Checks all entries up to a revision that all listeners have received. Later entries are kept for the next check.
   */
  check(revision: number, contents: State): void {
    const entries = this.#listener.isConcurrent ? inRevisionOrder(this.#entries, this.result) : this.#entries;
    const isLater = (entry: Entry): boolean =>
      (entry.kind === 'event' && entry.event.origin === 'live' && entry.event.revision > revision) ||
      (entry.kind === 'batch' && entry.events[0]?.origin === 'live' && entry.revision > revision);
    // All events of the revision have been delivered, so the last entry that is not later ends it.
    const end = entries.findLastIndex((entry) => !isLater(entry)) + 1;
    for (const entry of entries.slice(0, end)) this.#checker.check(entry);
    this.#checker.finish(revision, contents);
    this.#entries = entries.slice(end);
    this.#touches.clear();
  }

  #push(entry: Entry): void {
    this.#entries.push(this.#touched(entry));
  }

  #touched(entry: Entry): Entry {
    const events = entry.kind === 'event' ? [entry.event] : entry.kind === 'batch' ? entry.events : [];
    for (const { key, revision } of events) {
      if (key === this.#listener.touchKey) this.#touches.set(revision, performance.now());
    }
    return entry;
  }
}

function seen(event: WatchEvent): SeenEvent {
  const { type, key, value, previous, revision, origin, createRevision, version, lease } = event;
  return {
    type,
    key,
    value: value && fingerprint(value),
    previous: previous && fingerprint(previous),
    revision,
    origin,
    details: { createRevision, version, lease },
  };
}

/** Serialises a value like the writers do. */
const textOf = (value: unknown): string | undefined =>
  value === undefined ? undefined : fingerprint(Buffer.from(JSON.stringify(value)));
