import type { ConfigViolation } from '../etcd-trigger.errors.js';
import type { ConfigEntry } from './config-cache.js';
import { changeOf, type ConfigChange, type Transition } from './config-change.js';

/** What one step of a cache did, for listeners and for the log; collected key by key. */
export class CacheStep<T> {
  /** Those by which readers see something else. */
  readonly transitions: Transition<T>[] = [];
  /** Each refused write once. */
  readonly rejected: {
    readonly key: string;
    readonly revision: number;
    readonly violations: readonly ConfigViolation[];
  }[] = [];
  /** Keys whose refused write was replaced by a valid one. */
  readonly healed: string[] = [];

  /** The transitions as listeners are told of them; made when somebody listens. */
  get changes(): readonly ConfigChange<T>[] {
    return this.transitions.map(changeOf);
  }

  add(transition: Transition<T>, before: ConfigEntry<T> | undefined, after: ConfigEntry<T> | undefined): void {
    const { key, revision, changedPaths } = transition;
    if (changedPaths.length > 0) this.transitions.push(transition);
    if (after?.state === 'invalid' && before?.rejectedRevision !== after.rejectedRevision) {
      this.rejected.push({ key, revision, violations: after.violations ?? [] });
    }
    if (after?.state === 'valid' && before?.state === 'invalid') this.healed.push(key);
  }
}
