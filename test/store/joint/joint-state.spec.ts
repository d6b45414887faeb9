import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JointState } from '../../../lib/store/joint/joint-state.js';
import type { JointPart } from '../../../lib/store/joint/part-history.js';

/** A store with one value a part, and every state that has existed in it. */
class SimulatedStore {
  revision = 1;
  history = 0;
  values: readonly number[];
  readonly states = new Set<string>();
  /** Every write since the history began, by revision. */
  writes: { readonly revision: number; readonly values: readonly (number | undefined)[] }[] = [];

  constructor(count: number) {
    this.values = Array.from({ length: count }, () => 0);
    this.#note();
  }

  /** Writes some parts in one revision. */
  write(values: readonly (number | undefined)[]): void {
    this.revision += 1;
    this.values = this.values.map((value, index) => values[index] ?? value);
    this.writes.push({ revision: this.revision, values });
    this.#note();
  }

  #note(): void {
    this.states.add(this.values.join());
  }
}

/** Follows one value of the store, as late as the test wants. */
class SimulatedFeed implements JointPart<number> {
  readonly source = this;
  state = 0;
  applied = 1;
  changedAt = 1;
  seenHistory = 0;

  constructor(
    private readonly store: SimulatedStore,
    private readonly index: number,
    /** Like a definition with layers: it reads its newest state, and not every one before. */
    readonly maySkip = false,
  ) {}

  readonly read = (): number => this.state;
  readonly isRefused = (): boolean => this.state < 0;
  readonly since = (): number => this.changedAt;
  readonly appliedTo = (): number => this.applied;
  readonly history = (): number => this.seenHistory;
  readonly compare = (): Promise<number | undefined> =>
    Promise.resolve(this.store.values[this.index] === this.state ? this.store.revision : undefined);

  /** Applies the next write of this value. Returns false if there is none. */
  follow(): boolean {
    const next = this.store.writes.find(
      ({ revision, values }) => revision > this.applied && values[this.index] !== undefined,
    );
    if (!next) return false;
    this.state = next.values[this.index] ?? this.state;
    this.applied = this.changedAt = next.revision;
    return true;
  }

  /** Reads the newest value, which was written at an earlier revision. */
  skip(): void {
    const write = this.store.writes.findLast(({ values }) => values[this.index] !== undefined);
    this.state = this.store.values[this.index] ?? 0;
    this.changedAt = write?.revision ?? 1;
    this.applied = this.store.revision;
  }

  /** Lists the value, without the writes in between. */
  list(): void {
    this.state = this.store.values[this.index] ?? 0;
    this.applied = this.changedAt = this.store.revision;
  }
}

const COUNT = 3;
const SKIPPING = 2;
const values = fc.array(fc.option(fc.integer({ min: 1, max: 1_000 }), { nil: undefined }), {
  minLength: COUNT,
  maxLength: COUNT,
});
const part = fc.nat({ max: COUNT - 1 });
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant('write' as const), values }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constant('follow' as const), part }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('compare' as const), part }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('list' as const), part }) },
);

describe('a joint state', () => {
  it('is always one that has existed, and the newest in the end, whatever the order of updates', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const store = new SimulatedStore(COUNT);
        const feeds = Array.from({ length: COUNT }, (_, index) => new SimulatedFeed(store, index, index === SKIPPING));
        const shown: string[] = [];
        const joint = new JointState(feeds, () => shown.push((joint.shown ?? []).join()));
        joint.evaluate();
        const compare = async (index: number): Promise<void> => {
          const unproven = joint.unproven.find((history) => history.part === feeds[index]);
          const revision = await unproven?.part.compare(new AbortController().signal, joint.target);
          if (revision !== undefined) unproven?.proven(revision);
          joint.evaluate();
        };
        for (const each of steps) {
          if (each.type === 'write') store.write(each.values);
          else if (each.type === 'compare') await compare(each.part);
          else if (each.part === SKIPPING) {
            feeds[SKIPPING]?.skip();
            joint.updated(feeds[SKIPPING] as object, false);
          } else if (each.type === 'follow') {
            if (feeds[each.part]?.follow()) joint.updated(feeds[each.part] as object, false);
          } else {
            feeds[each.part]?.list();
            joint.updated(feeds[each.part] as object, true);
          }
        }
        feeds[SKIPPING]?.skip();
        joint.updated(feeds[SKIPPING] as object, false);
        for (const feed of feeds) while (feed.follow()) joint.updated(feed, false);
        for (const index of feeds.keys()) await compare(index);

        expect(shown.filter((state) => !store.states.has(state))).toEqual([]);
        expect((joint.shown ?? []).join()).toBe(store.values.join());
      }),
      { numRuns: 500 },
    );
  });

  it('skips revisions at which a part is refused, and shows the newest one before', () => {
    const store = new SimulatedStore(2);
    const feeds = [new SimulatedFeed(store, 0), new SimulatedFeed(store, 1)];
    const joint = new JointState(feeds, () => undefined);
    joint.evaluate();
    store.write([1, undefined]);
    store.write([2, -1]);
    feeds[1]?.follow();
    joint.updated(feeds[1] as object, false);
    for (const feed of [feeds[0], feeds[0]] as SimulatedFeed[]) {
      feed.follow();
      joint.updated(feed, false);
    }

    expect(joint.shown).toEqual([1, 0]);
  });

  it('does not compare revisions of different histories', () => {
    const store = new SimulatedStore(2);
    const feeds = [new SimulatedFeed(store, 0), new SimulatedFeed(store, 1)] as const;
    const joint = new JointState(feeds, () => undefined);
    joint.evaluate();
    store.write([5, 5]);
    for (const feed of feeds) {
      feed.follow();
      joint.updated(feed, false);
    }
    expect(joint.shown).toEqual([5, 5]);
    // A restored store: the first part notices it, the second one still shows the old history.
    Object.assign(feeds[0], { state: 1, applied: 2, changedAt: 2, seenHistory: 1 });
    joint.updated(feeds[0], true);
    expect([joint.shown, joint.unproven.map((history) => history.part)]).toEqual([[5, 5], [feeds[1]]]);
    Object.assign(feeds[1], { state: 1, applied: 2, changedAt: 2, seenHistory: 1 });
    joint.updated(feeds[1], true);
    for (const history of joint.unproven) history.proven(2);
    joint.evaluate();

    expect(joint.shown).toEqual([1, 1]);
  });

  it('does not wait for a part that is excused, until it can be compared again', () => {
    const store = new SimulatedStore(2);
    const feeds = [new SimulatedFeed(store, 0), new SimulatedFeed(store, 1)] as const;
    const joint = new JointState(feeds, () => undefined);
    joint.evaluate();
    store.write([1, undefined]);
    feeds[0].follow();
    joint.updated(feeds[0], false);
    const [denied] = joint.unproven;
    expect([joint.shown, denied?.part]).toEqual([[0, 0], feeds[1]]);
    if (denied) denied.isExcused = true;
    joint.evaluate();

    expect([joint.shown, joint.revision]).toEqual([[1, 0], 2]);
    denied?.proven(2);
    expect(joint.unproven).toEqual([]);
  });
});
