import type { ClusterObserver } from './cluster-observer.js';
import type { InstanceLog } from '../../etcd-trigger.log.js';
import type { KeyRange } from '../../backend/key-range.js';
import type { ListWatcher } from '../../backend/list-watcher.js';
import { SharedRange } from './shared-range.js';

/** The ranges of one cluster that somebody watches: one stream for each target, however many listen. */
export class SharedRanges {
  readonly #source: ListWatcher;
  readonly #log: InstanceLog;
  readonly #observer: ClusterObserver | undefined;
  readonly #ranges = new Map<string, { readonly range: SharedRange; users: number }>();

  constructor(source: ListWatcher, log: InstanceLog, observer?: ClusterObserver) {
    this.#source = source;
    this.#log = log;
    this.#observer = observer;
  }

  get all(): SharedRange[] {
    return Array.from(this.#ranges.values(), ({ range }) => range);
  }

  /** The range with the same target, or a new one; to be released. `held`: it need not follow yet. */
  acquire(range: KeyRange, { held }: { readonly held: boolean }): SharedRange {
    let entry = this.#ranges.get(range.identity);
    if (!entry) {
      entry = { range: new SharedRange(this.#source, range, this.#log, { held, observer: this.#observer }), users: 0 };
      this.#ranges.set(range.identity, entry);
    }
    entry.users += 1;
    if (!held) entry.range.open();
    return entry.range;
  }

  /** The last one closes the stream. */
  release(watched: SharedRange): void {
    const { identity } = watched.range;
    const entry = this.#ranges.get(identity);
    if (entry?.range !== watched) return;
    entry.users -= 1;
    if (entry.users > 0) return;
    this.#ranges.delete(identity);
    watched.close();
  }

  close(): void {
    for (const { range } of this.#ranges.values()) range.close();
    this.#ranges.clear();
  }
}
