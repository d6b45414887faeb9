import { within } from '../../timing/time-limit.js';
import type { ReadonlySortedMap } from '../../collections/sorted-map.js';
import type { DefinitionFeed } from '../cache/definition-feed.js';
import type { FollowedJoint, JointStates } from './joint-states.js';
import { PinnedState, type Pins } from './pins.js';

type View = ReadonlySortedMap<object>;

/** Pins reads to the newest joint state of all definitions. */
export class PinnedReads {
  #views: { readonly of: readonly View[]; readonly byFeed: ReadonlyMap<DefinitionFeed, View> } | undefined;

  constructor(
    private readonly pins: Pins,
    private readonly joints: JointStates,
    private readonly feeds: () => readonly DefinitionFeed[],
  ) {}

  /** Follows the joint state of all definitions from now on, so that later calls do not wait for it. */
  prepare(): void {
    this.joints.ofAll();
  }

  /** A function within a pinned one reads the same state. */
  async run<R>(run: () => R | Promise<R>): Promise<R> {
    const state = await this.begin();
    if (!state) return run();
    try {
      return await this.within(state, run);
    } finally {
      this.end(state);
    }
  }

  within<R>(state: PinnedState, run: () => R): R {
    return this.pins.begin(state, run);
  }

  end(state: PinnedState): void {
    this.pins.end(state);
  }

  /** Returns the state to pin; `undefined` in a context that is pinned already. */
  async begin(): Promise<PinnedState | undefined> {
    if (this.pins.current) return undefined;
    const { state } = await this.#known();
    const views = state.shown ?? [];
    if (this.#views?.of !== views) {
      const feeds = this.feeds();
      this.#views = { of: views, byFeed: new Map(views.map((view, index) => [feeds[index] as DefinitionFeed, view])) };
    }
    return new PinnedState(this.#views.byFeed, state.revision);
  }

  /** Waits for the first joint state, but not forever: an etcd that does not answer must not stop requests. */
  async #known(): Promise<FollowedJoint<View>> {
    const joint = this.joints.ofAll();
    if (joint.state.shown) return joint;
    let subscription: (() => void) | undefined;
    const isKnown = await within(
      new Promise<true>((resolve) => {
        subscription = joint.subscribe(() => {
          resolve(true);
        });
      }),
      FIRST_LIMIT_MS,
    );
    subscription?.();
    if (!isKnown) joint.state.showUnproven();
    return joint;
  }
}

const FIRST_LIMIT_MS = 1_000;
