import type { ConfigViolation } from '../etcd-trigger.errors.js';
import type { ConfigEntry } from './config-cache.js';
import type { ConfigChange } from './config-change.js';

/** What one step of a cache did, for listeners and for the log; collected key by key. */
export class CacheStep<T> {
  readonly changes: ConfigChange<T>[] = [];
  /** Each refused write once. */
  readonly rejected: {
    readonly key: string;
    readonly revision: number;
    readonly violations: readonly ConfigViolation[];
  }[] = [];
  /** Keys whose refused write was replaced by a valid one. */
  readonly healed: string[] = [];

  add(
    { key, revision }: { readonly key: string; readonly revision: number },
    change: ConfigChange<T> | undefined,
    before: ConfigEntry<T> | undefined,
    after: ConfigEntry<T> | undefined,
  ): void {
    if (change) this.changes.push(change);
    if (after?.state === 'invalid' && before?.rejectedRevision !== after.rejectedRevision) {
      this.rejected.push({ key, revision, violations: after.violations ?? [] });
    }
    if (after?.state === 'valid' && before?.state === 'invalid') this.healed.push(key);
  }
}
