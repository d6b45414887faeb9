import type { Verdict } from './verdict.js';

/** How long the listeners needed, in milliseconds, of all times that a kind of fault struck. */
interface Strikes {
  count: number;
  readonly recoveries: number[];
}

/** What a run did and what came of it. */
export class Tally {
  operations = 0;
  rounds = 0;
  /** Watches that members serve, while all listeners listen. */
  streams = 0;
  connections = 0;
  readonly #verdicts: Verdict[] = [];
  readonly #strikes = new Map<string, Strikes>();

  struck(kind: string): void {
    this.#of(kind).count += 1;
  }

  recovered(kind: string, ms: number): void {
    this.#of(kind).recoveries.push(ms);
  }

  judged(verdict: Verdict): void {
    if (!this.#verdicts.includes(verdict)) this.#verdicts.push(verdict);
  }

  sum(count: (verdict: Verdict) => number): number {
    return this.#verdicts.reduce((sum, verdict) => sum + count(verdict), 0);
  }

  /** The table that a soak prints. */
  toString(): string {
    const totals: readonly (readonly [string, number | string])[] = [
      ['rounds', this.rounds],
      ['operations acknowledged', this.operations],
      ['listeners', this.#verdicts.length],
      ['streams that serve them', this.streams],
      ['connections they made', this.connections],
      ['events delivered', this.sum(({ delivered }) => delivered)],
      ['resyncs needed', this.sum(({ resyncsNeeded }) => resyncsNeeded)],
      ['resyncs given', this.sum(({ resyncsGiven }) => resyncsGiven)],
      ...(['missed', 'repeated', 'disordered', 'torn'] as const).map(
        (kind) => [kind, this.sum((verdict) => verdict.count(kind))] as const,
      ),
    ];
    const faults = [...this.#strikes].sort(([a], [b]) => (a < b ? -1 : 1));
    return [
      ...totals.map(([name, value]) => `${name.padEnd(28)}${String(value).padStart(10)}`),
      '',
      `${'fault'.padEnd(28)}${['times', 'p50 ms', 'p99 ms', 'max ms'].map((title) => title.padStart(10)).join('')}`,
      ...faults.map(([kind, { count, recoveries }]) => {
        const times = [0.5, 0.99, 1].map((part) => quantile(recoveries, part).padStart(10));
        return `${kind.padEnd(28)}${String(count).padStart(10)}${times.join('')}`;
      }),
    ].join('\n');
  }

  #of(kind: string): Strikes {
    const strikes = this.#strikes.get(kind) ?? { count: 0, recoveries: [] };
    this.#strikes.set(kind, strikes);
    return strikes;
  }
}

function quantile(values: readonly number[], part: number): string {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)];
  return value === undefined ? '-' : value.toFixed(0);
}
