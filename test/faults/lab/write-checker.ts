import type { Step } from './operation.js';
import { writerOf } from './operation.js';
import type { StoreIncarnation } from './store-history.js';

/** Outcome of a write, as reported to the writer. */
export type Outcome =
  | { readonly kind: 'acknowledged'; readonly revision: number; readonly steps: readonly Step[] }
  /** The response was lost. */
  | { readonly kind: 'unknown' }
  /** The response says that the write was not applied. */
  | { readonly kind: 'rejected' };

/**
 * Checks the reported outcomes against the store's history: acknowledged writes exist, rejected ones do not, no write
 * was applied twice, and every write has a known writer.
 */
export class WriteChecker {
  readonly violations: string[] = [];
  readonly #outcomes = new Map<string, Outcome | undefined>();
  readonly #applied = new Map<string, number>();
  #older: ReadonlySet<string> = new Set();

  /** Called before a write is sent. */
  sent(id: string): void {
    this.#outcomes.set(id, undefined);
  }

  completed(id: string, outcome: Outcome): void {
    this.#outcomes.set(id, outcome);
  }

  /** Checks the outcomes since the last call. All writes must have completed. */
  check(incarnation: StoreIncarnation, last: number): void {
    for (let revision = incarnation.first; revision <= last; revision += 1) {
      for (const { type, value } of incarnation.changesAt(revision))
        if (type === 'put') this.#apply(value ?? '', revision);
    }
    for (const [id, outcome] of this.#outcomes) {
      if (outcome?.kind !== 'acknowledged' || this.#older.has(id)) continue;
      if (outcome.revision >= incarnation.first && outcome.revision <= last) this.#compare(id, outcome, incarnation);
    }
    this.#forget();
  }

  /** Forgets all outcomes: a new store may lack acknowledged writes. */
  storeReplaced(): void {
    this.#outcomes.clear();
    this.#applied.clear();
  }

  #apply(value: string, revision: number): void {
    const id = writerOf(value);
    if (id === undefined || !this.#outcomes.has(id)) {
      this.violations.push(`revision ${revision} has no known writer (${id ?? 'no id'})`);
      return;
    }
    const before = this.#applied.get(id);
    if (before !== undefined && before !== revision) {
      this.violations.push(`"${id}" was applied twice, at revisions ${before} and ${revision}`);
    }
    this.#applied.set(id, revision);
    const outcome = this.#outcomes.get(id);
    if (outcome?.kind === 'rejected')
      this.violations.push(`"${id}" was applied at revision ${revision} and reported as rejected`);
  }

  #compare(id: string, { revision, steps }: Outcome & { kind: 'acknowledged' }, incarnation: StoreIncarnation): void {
    const changes = new Map(incarnation.changesAt(revision).map((change) => [change.key, change]));
    for (const step of steps) {
      if (step.type !== 'put') continue;
      const change = changes.get(step.key);
      if (change?.value === undefined || writerOf(change.value) !== id) {
        this.violations.push(
          `"${id}" was acknowledged at revision ${revision}, where "${step.key}" was not written by it`,
        );
      }
    }
  }

  /** Forgets acknowledged writes after two checks, when they cannot be applied again. Unknown ones are kept. */
  #forget(): void {
    for (const id of this.#older) {
      if (this.#outcomes.get(id)?.kind !== 'acknowledged') continue;
      this.#outcomes.delete(id);
      this.#applied.delete(id);
    }
    this.#older = new Set(this.#outcomes.keys());
  }
}
