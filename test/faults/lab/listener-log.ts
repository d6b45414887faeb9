import type { ConfigChange, ResyncNotice, WatchBatch, WatchEvent } from 'nestjs-etcd-trigger';
import { HistoryChecker, type JudgedListener } from './checker.js';
import type { Entry, Loss, SeenEvent } from './history.js';
import { inRevisionOrder } from './key-order.js';
import type { State, Truth } from './truth.js';
import { fingerprint } from './truth-recorder.js';
import type { Verdict } from './verdict.js';

export interface LoggedListener extends JudgedListener {
  /** A key of its range that the laboratory writes to see whether it follows. */
  readonly touchKey: string;
  /** It works on several keys at once: only their own order is promised. */
  readonly isConcurrent?: boolean;
}

/** Writes down what one listener is given, and has it judged piece by piece. */
export class ListenerLog {
  readonly name: string;
  #entries: Entry[] = [];
  readonly #checker: HistoryChecker;
  readonly #listener: LoggedListener;
  /** When it was given which write of its touch key. */
  readonly #touches = new Map<number, number>();
  /** A difference whose announcement comes in the same step, but later. */
  #unannounced: Entry[] = [];

  constructor(listener: LoggedListener, truth: Truth) {
    this.name = listener.name;
    this.#listener = listener;
    this.#checker = new HistoryChecker(listener, truth);
  }

  get verdict(): Verdict {
    return this.#checker.verdict;
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

  /** Of the store, which is given its difference before others are told of it. */
  readonly onChange = ({ type, key, value, previous, revision, origin }: ConfigChange): void => {
    const event: SeenEvent = { type, key, value: textOf(value), previous: textOf(previous), revision, origin };
    if (origin === 'resync') this.#unannounced.push(this.#touched({ kind: 'event', event }));
    else this.#push({ kind: 'event', event });
  };

  /** The laboratory has taken something from it. */
  lost(loss: Loss): void {
    this.#entries.push({ kind: 'loss', loss });
    // Revisions of another store say nothing about this one.
    if (loss.kind === 'replaced') this.#touches.clear();
  }

  /** When it was given this write of its touch key, or a later one; undefined if it was not. */
  touchedAt(revision: number): number | undefined {
    return [...this.#touches].find(([touched]) => touched >= revision)?.[1];
  }

  /** Judges everything up to a revision that all listeners have been given; what came after it waits for the next time. */
  settle(revision: number, held: State): void {
    const entries = this.#listener.isConcurrent ? inRevisionOrder(this.#entries, this.verdict) : this.#entries;
    const isLater = (entry: Entry): boolean =>
      (entry.kind === 'event' && entry.event.origin === 'live' && entry.event.revision > revision) ||
      (entry.kind === 'batch' && entry.events[0]?.origin === 'live' && entry.revision > revision);
    // Of the revision itself every event is here: the last entry that is not later ends it.
    const end = entries.findLastIndex((entry) => !isLater(entry)) + 1;
    for (const entry of entries.slice(0, end)) this.#checker.take(entry);
    this.#checker.settle(revision, held);
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

/** As the writers serialise it. */
const textOf = (value: unknown): string | undefined =>
  value === undefined ? undefined : fingerprint(Buffer.from(JSON.stringify(value)));
