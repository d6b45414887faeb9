/** What can be wrong with a listener's history. */
export type ViolationKind =
  | 'missed'
  | 'repeated'
  | 'disordered'
  | 'torn'
  | 'invented'
  | 'wrong event'
  | 'wrong previous'
  | 'undeclared resync'
  | 'unneeded resync'
  | 'wrong state';

export interface Violation {
  readonly kind: ViolationKind;
  /** One sentence that names the listener, the revision and the key. */
  readonly message: string;
}

/** Messages kept of each kind; all are counted. */
const KEPT = 5;

/** What is wrong with one listener, and what it was given. */
export class Verdict {
  readonly violations: Violation[] = [];
  delivered = 0;
  /** Resyncs that the truth calls for, and those that were announced. */
  resyncsNeeded = 0;
  resyncsGiven = 0;
  readonly #counts = new Map<ViolationKind, number>();
  readonly #listener: string;

  constructor(listener: string) {
    this.#listener = listener;
  }

  add(kind: ViolationKind, what: string): void {
    const count = this.count(kind) + 1;
    this.#counts.set(kind, count);
    if (count <= KEPT) this.violations.push({ kind, message: `${kind}: ${this.#listener}: ${what}` });
  }

  count(kind: ViolationKind): number {
    return this.#counts.get(kind) ?? 0;
  }
}
