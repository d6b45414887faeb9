import type { KeyRange } from '../../backend/key-range.js';
import type { ListWatcher } from '../../backend/list-watcher.js';
import type { InstanceLog } from '../../etcd-trigger.log.js';
import type { ClusterObserver } from './cluster-observer.js';
import { DeliveryFailures } from './delivery-failures.js';
import { InterruptionLog } from './interruption-log.js';
import { NeighbourLog } from './neighbour-log.js';
import { SharedRange } from './shared-range.js';

/** The watched ranges of one cluster. All listeners of a target share one stream. */
export class SharedRanges {
  readonly #source: ListWatcher;
  readonly #log: InstanceLog;
  readonly #observer: ClusterObserver | undefined;
  readonly #interruptions: InterruptionLog;
  readonly #neighbours: NeighbourLog;
  readonly failures: DeliveryFailures;
  readonly #ranges = new Map<string, { readonly range: SharedRange; users: number }>();

  /** @param keyPrefix precedes every key in etcd; the ranges do not have it */
  constructor(source: ListWatcher, log: InstanceLog, observer?: ClusterObserver, keyPrefix = '') {
    this.#source = source;
    this.#log = log;
    this.#observer = observer;
    this.#interruptions = new InterruptionLog(log);
    this.#neighbours = new NeighbourLog(log, keyPrefix);
    this.failures = new DeliveryFailures(log, observer);
  }

  get all(): SharedRange[] {
    return Array.from(this.#ranges.values(), ({ range }) => range);
  }

  /**
   * Returns the range of the target, or creates it. The caller must release it. `paused`: a new range lists, but does
   * not follow before `resume()`. Without it, a paused range is resumed.
   */
  acquire(range: KeyRange, { paused }: { readonly paused: boolean }): SharedRange {
    let entry = this.#ranges.get(range.identity);
    if (!entry) {
      const options = {
        paused,
        observer: this.#observer,
        interruptions: this.#interruptions,
        neighbours: this.#neighbours,
        failures: this.failures,
      };
      entry = { range: new SharedRange(this.#source, range, this.#log, options), users: 0 };
      this.#ranges.set(range.identity, entry);
      this.#neighbours.watched(range);
    }
    entry.users += 1;
    if (!paused) entry.range.resume();
    return entry.range;
  }

  /** The last release closes the stream. */
  release(range: SharedRange): void {
    const { identity } = range.range;
    const entry = this.#ranges.get(identity);
    if (entry?.range !== range) return;
    entry.users -= 1;
    if (entry.users > 0) return;
    this.#ranges.delete(identity);
    range.close();
  }

  close(): void {
    for (const { range } of this.#ranges.values()) range.close();
    this.#ranges.clear();
  }
}
