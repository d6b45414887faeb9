import type { ConfigViolation } from '../etcd-trigger.errors.js';

/** Collects constraint names by property path: one violation per path, in the order of their detection. */
export class ViolationList {
  readonly #byPath = new Map<string, Set<string>>();

  isEmpty(): boolean {
    return this.#byPath.size === 0;
  }

  add(path: string, constraint: string): void {
    const constraints = this.#byPath.get(path);
    if (constraints) constraints.add(constraint);
    else this.#byPath.set(path, new Set([constraint]));
  }

  toArray(): ConfigViolation[] {
    return Array.from(this.#byPath, ([path, constraints]) => ({ path, constraints: [...constraints] }));
  }
}
