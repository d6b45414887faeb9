import type { ConfigViolation } from '../../etcd-trigger.errors.js';
import type { WatchOrigin } from '../../watch/watch-event.js';
import { changeOf, type ConfigChange, type Transition } from '../changes/config-change.js';
import type { CacheEntry } from './cache-entry.js';

/** What one step of a cache does, for listeners and for the log; collected key by key. */
export class CacheUpdate<T> {
  /** How many keys readers see otherwise. */
  updates = 0;
  /** What listeners are told; empty when there are none. */
  readonly changes: ConfigChange<T>[] = [];
  /** Each refused write once. */
  readonly rejected: {
    readonly key: string;
    readonly revision: number;
    readonly violations: readonly ConfigViolation[];
  }[] = [];
  /** Keys whose refused write was replaced by a valid one. */
  readonly healed: string[] = [];

  constructor(
    readonly origin: WatchOrigin,
    /** Whether anybody listens: a change costs more than all the rest of a step. */
    private readonly isHeard: boolean,
  ) {}

  /** Readers see something else. */
  changed(transition: Transition<T>): void {
    this.updates += 1;
    if (this.isHeard) this.changes.push(changeOf(transition, this.origin));
  }

  moved(key: string, before: CacheEntry<T> | undefined, after: CacheEntry<T> | undefined): void {
    const refusal = after?.refusal;
    if (refusal && refusal.revision !== before?.refusal?.revision) this.rejected.push({ key, ...refusal });
    if (after?.state === 'valid' && before?.state === 'invalid') this.healed.push(key);
  }
}
