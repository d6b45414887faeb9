import type { Step } from './operation.js';
import { writerOf } from './operation.js';
import type { Past } from './truth.js';

/** What a writer was told of its request. */
export type Outcome =
  | { readonly kind: 'acknowledged'; readonly revision: number; readonly steps: readonly Step[] }
  /** The answer was lost. */
  | { readonly kind: 'unknown' }
  /** It was not done, says the answer. */
  | { readonly kind: 'refused' };

/** Holds the writers' answers against the truth: acknowledged is there, refused is not, nothing is there twice, and nothing without a writer. */
export class Ledger {
  readonly violations: string[] = [];
  readonly #outcomes = new Map<string, Outcome | undefined>();
  readonly #applied = new Map<string, number>();
  #older: ReadonlySet<string> = new Set();

  /** Before it is sent. */
  sent(id: string): void {
    this.#outcomes.set(id, undefined);
  }

  answered(id: string, outcome: Outcome): void {
    this.#outcomes.set(id, outcome);
  }

  /** All writers have been answered; judges what they were told since the last time. */
  settle(past: Past, last: number): void {
    for (let revision = past.first; revision <= last; revision += 1) {
      for (const { type, value } of past.changesAt(revision)) if (type === 'put') this.#apply(value ?? '', revision);
    }
    for (const [id, outcome] of this.#outcomes) {
      if (outcome?.kind !== 'acknowledged' || this.#older.has(id)) continue;
      if (outcome.revision >= past.first && outcome.revision <= last) this.#compare(id, outcome, past);
    }
    this.#forget();
  }

  /** The store is another one: what was acknowledged may be gone. */
  replaced(): void {
    this.#outcomes.clear();
    this.#applied.clear();
  }

  #apply(value: string, revision: number): void {
    const id = writerOf(value);
    if (id === undefined || !this.#outcomes.has(id)) {
      this.violations.push(`revision ${revision} was written by nobody (${id ?? 'no id'})`);
      return;
    }
    const before = this.#applied.get(id);
    if (before !== undefined && before !== revision) {
      this.violations.push(`"${id}" was applied twice, at revisions ${before} and ${revision}`);
    }
    this.#applied.set(id, revision);
    const outcome = this.#outcomes.get(id);
    if (outcome?.kind === 'refused') this.violations.push(`"${id}" was applied at ${revision} and reported as refused`);
  }

  #compare(id: string, { revision, steps }: Outcome & { kind: 'acknowledged' }, past: Past): void {
    const changes = new Map(past.changesAt(revision).map((change) => [change.key, change]));
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

  /** What was answered two settlements ago will not be applied any more; the unknown are remembered. */
  #forget(): void {
    for (const id of this.#older) {
      if (this.#outcomes.get(id)?.kind !== 'acknowledged') continue;
      this.#outcomes.delete(id);
      this.#applied.delete(id);
    }
    this.#older = new Set(this.#outcomes.keys());
  }
}
