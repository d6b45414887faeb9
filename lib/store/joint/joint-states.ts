import type { ListWatcher } from '../../backend/list-watcher.js';
import type { ReadonlySortedMap } from '../../collections/sorted-map.js';
import { within } from '../../timing/time-limit.js';
import type { DefinitionFeed } from '../cache/definition-feed.js';
import { definitionPart, type FollowedDefinition, keyPart } from './feed-parts.js';
import { JointProver } from './joint-prover.js';
import { JointState } from './joint-state.js';
import type { JointPart } from './part-history.js';

/** A joint state that is kept current. */
export interface FollowedJoint<S> {
  readonly state: JointState<S>;
  /**
   * `changed` is called in the step in which the state becomes another one, `closed` when the store closes. Returns a
   * function that ends the calls.
   */
  readonly subscribe: (changed: () => void, closed?: () => void) => () => void;
}

interface RunningJoint {
  readonly updated: (source: object, isResync: boolean) => void;
  readonly isBusy: () => boolean;
  readonly close: () => void;
}

/** The joint states of a store: one for each combination of keys, and one of all definitions. */
export class JointStates {
  readonly #lists: ListWatcher;
  readonly #abort = new AbortController();
  readonly #running = new Set<RunningJoint>();
  readonly #ofKeys = new Map<string, FollowedJoint<object | undefined>>();
  #ofAll: FollowedJoint<ReadonlySortedMap<object>> | undefined;
  #followed: readonly FollowedDefinition[] = [];
  /** True until the application is initialized: a joint state may then begin with what was loaded. */
  #isStarting = true;

  constructor(lists: ListWatcher) {
    this.#lists = lists;
  }

  get isBusy(): boolean {
    return [...this.#running].some(({ isBusy }) => isBusy());
  }

  /**
   * To be called when all definitions are loaded. Definitions of one key whose lists show no common revision are compared
   * with etcd; one that has changed in between is followed.
   */
  async loaded(followed: readonly FollowedDefinition[], withinMs: number): Promise<void> {
    this.#followed = followed;
    const listed = followed.filter(({ feed }) => feed.isListed);
    const ofKeys = listed.flatMap((each) => {
      const { target } = each.feed.definition;
      return 'key' in target ? [{ each, feed: each.feed, part: keyPart(each, target.key, this.#lists) }] : [];
    });
    const target = Math.max(0, ...ofKeys.map(({ part }) => part.since()));
    const behind = ofKeys.filter(({ part }) => part.appliedTo() < target);
    const until = performance.now() + withinMs;
    const aligning = behind.map(async ({ each, feed, part }) => {
      const revision = await part
        .compare(AbortSignal.timeout(Math.ceil(Math.max(1, withinMs))), target)
        .catch(() => undefined);
      if (revision !== undefined) {
        this.#alignedTo.set(feed, revision);
        return;
      }
      each.resume();
      await feed.whenVisible(target, until - performance.now());
    });
    await within(Promise.all(aligning), withinMs);
  }

  /** To be called when all definitions are followed. */
  opened(): void {
    // Following may begin before the load has ended.
    if (this.#followed.length > 0) this.#isStarting = false;
  }

  /** Returns the joint state of these keys; the same one for the same keys. */
  ofKeys(keys: readonly { readonly key: string; readonly feed: DefinitionFeed }[]): FollowedJoint<object | undefined> {
    const id = JSON.stringify(keys.map(({ key }) => key));
    let joint = this.#ofKeys.get(id);
    if (!joint) {
      const parts = keys.map(({ key, feed }) => this.#aligned(feed, keyPart(this.#followedOf(feed), key, this.#lists)));
      this.#ofKeys.set(id, (joint = this.#follow(parts, { excuses: false })));
    }
    return joint;
  }

  /** Returns the joint state of all definitions, in the order of `feeds`. */
  ofAll(): FollowedJoint<ReadonlySortedMap<object>> {
    const parts = (): JointPart<ReadonlySortedMap<object>>[] =>
      this.#followed.map((followed) => this.#aligned(followed.feed, definitionPart(followed, this.#lists)));
    this.#ofAll ??= this.#follow(parts(), { excuses: true });
    return this.#ofAll;
  }

  updated(source: object, isResync: boolean): void {
    for (const joint of this.#running) joint.updated(source, isResync);
  }

  close(): void {
    this.#abort.abort();
    for (const joint of this.#running) joint.close();
    this.#running.clear();
  }

  readonly #alignedTo = new WeakMap<DefinitionFeed, number>();

  #aligned<S>(feed: DefinitionFeed, part: JointPart<S>): JointPart<S> {
    const alignedTo = this.#alignedTo.get(feed) ?? 0;
    const histories = feed.histories;
    return {
      ...part,
      appliedTo: () => (feed.histories === histories ? Math.max(alignedTo, part.appliedTo()) : part.appliedTo()),
    };
  }

  #followedOf(feed: DefinitionFeed): FollowedDefinition {
    return this.#followed.find((followed) => followed.feed === feed) as FollowedDefinition;
  }

  #follow<S>(parts: readonly JointPart<S>[], options: { readonly excuses: boolean }): FollowedJoint<S> {
    const subscribers = new Set<{ readonly changed: () => void; readonly closed: (() => void) | undefined }>();
    const state = new JointState(parts, () => {
      for (const { changed } of [...subscribers]) changed();
    });
    const prover = new JointProver(state, this.#abort.signal, options);
    state.evaluate();
    const isOffline = this.#followed.some(({ feed }) => !feed.isListed);
    if (!state.shown && (this.#isStarting || isOffline)) state.showUnproven();
    prover.start();
    this.#running.add({
      updated: (source, isResync) => {
        state.updated(source, isResync);
        prover.start();
      },
      isBusy: () => prover.isBusy,
      close: () => {
        for (const { closed } of [...subscribers]) closed?.();
      },
    });
    return {
      state,
      subscribe: (changed, closed) => {
        const subscriber = { changed, closed };
        subscribers.add(subscriber);
        return () => {
          subscribers.delete(subscriber);
        };
      },
    };
  }
}
