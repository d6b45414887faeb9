import type { ConfigViolation } from '../../etcd-trigger.errors.js';
import type { WatchOrigin } from '../../watch/watch-event.js';
import type { ConfigHealed } from '../changes/refusal-listeners.js';
import { changeOf, type ConfigChange, type Transition } from '../changes/config-change.js';
import type { CacheEntry } from './cache-entry.js';

/** Collects the effects of one update of a cache, for listeners and for the log. */
export class CacheUpdate<T> {
  /** Number of keys whose visible value changed. */
  updates = 0;
  /** Changes for the listeners; empty if there are no listeners. */
  readonly changes: ConfigChange<T>[] = [];
  /** Newly rejected writes; each is reported once. */
  readonly rejected: {
    readonly key: string;
    readonly revision: number;
    readonly violations: readonly ConfigViolation[];
  }[] = [];
  /** Keys whose current value is not rejected any more, with the state that they have. */
  readonly ended: ConfigHealed[] = [];
  /** Keys whose rejected value was replaced by a valid one. */
  readonly healed: string[] = [];

  constructor(
    readonly origin: WatchOrigin,
    /** Creating changes costs more than the rest of an update, so they are created only for listeners. */
    private readonly hasListeners: boolean,
  ) {}

  valueChanged(transition: Transition<T>): void {
    this.updates += 1;
    if (this.hasListeners) this.changes.push(changeOf(transition, this.origin));
  }

  entryReplaced(
    { key, revision }: { readonly key: string; readonly revision: number },
    before: CacheEntry<T> | undefined,
    after: CacheEntry<T> | undefined,
  ): void {
    const rejection = after?.rejection;
    if (rejection && rejection.revision !== before?.rejection?.revision) this.rejected.push({ key, ...rejection });
    if (before?.rejection && !rejection) {
      const state = after === undefined || after.state === 'invalid' ? 'absent' : after.state;
      this.ended.push(Object.freeze({ type: 'healed', key, revision, state }));
    }
    if (after?.state === 'valid' && before?.state === 'invalid') this.healed.push(key);
  }
}
