/** Kinds of errors in a listener's history. */
export type ViolationKind =
  | 'missed'
  | 'duplicate'
  | 'out of order'
  | 'torn'
  | 'never written'
  | 'wrong event'
  | 'wrong previous'
  | 'unannounced resync'
  | 'unnecessary resync'
  | 'wrong state';

export interface Violation {
  readonly kind: ViolationKind;
  /** One sentence that names the listener, the revision and the key. */
  readonly message: string;
}

/** Messages to keep for each kind. Further violations are only counted. */
const MAX_MESSAGES = 5;

/** Violations found in one listener's history, and counts of its deliveries. */
export class CheckResult {
  readonly violations: Violation[] = [];
  delivered = 0;
  /** Resyncs that the store's history requires, and resyncs that were announced. */
  resyncsExpected = 0;
  resyncsReported = 0;
  readonly #counts = new Map<ViolationKind, number>();
  readonly #listener: string;

  constructor(listener: string) {
    this.#listener = listener;
  }

  add(kind: ViolationKind, what: string): void {
    const count = this.count(kind) + 1;
    this.#counts.set(kind, count);
    if (count <= MAX_MESSAGES) this.violations.push({ kind, message: `${kind}: ${this.#listener}: ${what}` });
  }

  count(kind: ViolationKind): number {
    return this.#counts.get(kind) ?? 0;
  }
}
