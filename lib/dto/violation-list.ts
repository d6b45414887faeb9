import type { ConfigViolation } from '../etcd-trigger.errors.js';

/** Number of paths that are listed, in addition to the document itself. */
const MAX_PATHS = 100;

/** Number of constraints that are listed for one path. */
const MAX_CONSTRAINTS = 20;

/**
 * Collects constraint names by property path: one violation per path, in the order of their detection. After
 * 100 paths, all others become the violation `more` of the document. After 20 constraints of a path, all others become
 * its constraint `more`.
 */
export class ViolationList {
  readonly #byPath = new Map<string, Set<string>>();
  #isFull = false;

  isEmpty(): boolean {
    return this.#byPath.size === 0;
  }

  /** True once a path is not listed, so that there is no need to look for more. */
  isFull(): boolean {
    return this.#isFull;
  }

  add(path: string, constraint: string): void {
    const constraints = this.#byPath.get(path);
    if (constraints) {
      constraints.add(constraints.size < MAX_CONSTRAINTS ? constraint : 'more');
    } else if (path === '' || this.#byPath.size < MAX_PATHS) {
      this.#byPath.set(path, new Set([constraint]));
    } else {
      this.#isFull = true;
      this.add('', 'more');
    }
  }

  toArray(): ConfigViolation[] {
    return Array.from(this.#byPath, ([path, constraints]) => ({ path, constraints: [...constraints] }));
  }
}
