import type { CheckResult } from './check-result.js';

/** Injections of one kind of fault, and the recovery times in milliseconds. */
interface FaultCounters {
  count: number;
  readonly recoveries: number[];
}

/** Counters of a run. */
export class RunCounters {
  operations = 0;
  rounds = 0;
  /** Number of watches on the members while all listeners are active. */
  streams = 0;
  connections = 0;
  /** Writes that handler groups had to handle, and the effects that they wrote. */
  orders = 0;
  effects = 0;
  /** Effects written more than once, which only `commit()` rules out. */
  repeatedEffects = 0;
  readonly #results: CheckResult[] = [];
  readonly #faults = new Map<string, FaultCounters>();

  faultInjected(kind: string): void {
    this.#of(kind).count += 1;
  }

  recovered(kind: string, ms: number): void {
    this.#of(kind).recoveries.push(ms);
  }

  addResult(result: CheckResult): void {
    if (!this.#results.includes(result)) this.#results.push(result);
  }

  sum(count: (result: CheckResult) => number): number {
    return this.#results.reduce((sum, result) => sum + count(result), 0);
  }

  /** Returns the table that a soak prints. */
  toString(): string {
    const totals: readonly (readonly [string, number | string])[] = [
      ['rounds', this.rounds],
      ['operations acknowledged', this.operations],
      ['listeners', this.#results.length],
      ['streams for all listeners', this.streams],
      ['connections opened', this.connections],
      ['events delivered', this.sum(({ delivered }) => delivered)],
      ['resyncs expected', this.sum(({ resyncsExpected }) => resyncsExpected)],
      ['resyncs reported', this.sum(({ resyncsReported }) => resyncsReported)],
      ['writes for handler groups', this.orders],
      ['effects of two groups', this.effects],
      ['repeated without commit()', this.repeatedEffects],
      ...(['missed', 'duplicate', 'out of order', 'torn'] as const).map(
        (kind) => [kind, this.sum((result) => result.count(kind))] as const,
      ),
    ];
    const faults = [...this.#faults].sort(([a], [b]) => (a < b ? -1 : 1));
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

  #of(kind: string): FaultCounters {
    const counters = this.#faults.get(kind) ?? { count: 0, recoveries: [] };
    this.#faults.set(kind, counters);
    return counters;
  }
}

function quantile(values: readonly number[], part: number): string {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)];
  return value === undefined ? '-' : value.toFixed(0);
}
