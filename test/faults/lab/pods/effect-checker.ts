import type { Change } from '../listener-history.js';
import type { StoreIncarnation } from '../store-history.js';

/** Prefix of the keys that the handler groups watch. */
export const ORDERS = '/orders/';

/** The groups. Both handle every order; `committed` writes its effect with `commit()`, `fenced` before it. */
export const GROUPS = ['committed', 'fenced'] as const;

type Group = (typeof GROUPS)[number];

/** Key of the effect that a group writes for one write of an order. */
const EFFECT = /^\/effects\/(committed|fenced)\/(\d+)\/(.+)$/;
const OWNER = /^\/coordination\/v1\/groups\/(committed|fenced)\/owners\//;

/**
 * Checks the recorded history of the store: every write of an order has exactly one effect with `commit()` and at least
 * one without, and no past owner of a partition has written one.
 */
export class EffectChecker {
  readonly violations: string[] = [];
  writes = 0;
  effects = 0;
  /** Effects written more than once, which only `commit()` rules out. */
  repeated = 0;
  /** Writes without an effect so far, by group and `revision/order`. */
  readonly #unhandled: Readonly<Record<Group, Set<string>>> = { committed: new Set(), fenced: new Set() };
  /** Current owners: the key of a partition, and the revision that created it. */
  readonly #owners = new Map<string, number>();
  /** Revision of the last order for which `commit()` wrote an effect, by order. */
  readonly #handled = new Map<string, number>();
  #next = 0;

  /** Reads the history up to a revision. */
  read(incarnation: StoreIncarnation, last: number): void {
    for (let revision = Math.max(this.#next, incarnation.first); revision <= last; revision += 1) {
      const changes = incarnation.changesAt(revision);
      // A transaction compares before it writes, so the owner before this revision counts.
      for (const change of changes) this.#readEffect(change);
      for (const change of changes) this.#readOwner(change);
      for (const change of changes) this.#readOrder(change);
    }
    this.#next = last + 1;
  }

  /** Number of effects that are still missing. */
  get missing(): number {
    return GROUPS.reduce((sum, group) => sum + this.#unhandled[group].size, 0);
  }

  /** Reports every effect that is missing. */
  finish(): void {
    for (const group of GROUPS) {
      for (const write of this.#unhandled[group]) this.violations.push(`"${group}" has no effect of ${write}`);
      this.#unhandled[group].clear();
    }
  }

  #readOrder({ key, revision }: Change): void {
    if (!key.startsWith(ORDERS)) return;
    this.writes += 1;
    for (const group of GROUPS) this.#unhandled[group].add(`${revision}/${key.slice(ORDERS.length)}`);
  }

  #readOwner({ key, type, createRevision }: Change): void {
    if (!OWNER.test(key)) return;
    if (type === 'delete') this.#owners.delete(key);
    else this.#owners.set(key, createRevision);
  }

  #readEffect({ key, type, value, version, revision }: Change): void {
    const [, name, written = '', order = ''] = EFFECT.exec(key) ?? [];
    if (name === undefined || type === 'delete') return;
    const group = name as Group;
    const write = `${written}/${order}`;
    this.effects += 1;
    if (version > 1) this.#readRepetition(group, write, revision);
    else if (!this.#unhandled[group].delete(write))
      this.violations.push(`"${group}" wrote an effect of ${write} at revision ${revision}, and nothing wrote it`);
    else if (group === 'committed') this.#checkOrder(order, Number(written));
    this.#checkOwner(group, write, revision, value);
  }

  #readRepetition(group: Group, write: string, revision: number): void {
    this.repeated += 1;
    if (group === 'committed')
      this.violations.push(`"committed" wrote the effect of ${write} again at revision ${revision}`);
  }

  #checkOrder(order: string, written: number): void {
    const before = this.#handled.get(order) ?? 0;
    if (written < before)
      this.violations.push(`"committed" handled revision ${written} of "${order}" after revision ${before}`);
    this.#handled.set(order, written);
  }

  #checkOwner(group: Group, write: string, revision: number, value = ''): void {
    const { pod, token } = JSON.parse(value) as { readonly pod: string; readonly token: number };
    for (const [key, createRevision] of this.#owners) {
      if (OWNER.exec(key)?.[1] === group && createRevision === token) return;
    }
    this.violations.push(
      `"${pod}" wrote an effect of ${write} in "${group}" at revision ${revision} and did not own its partition (token ${token})`,
    );
  }
}
