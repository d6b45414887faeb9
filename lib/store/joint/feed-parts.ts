import { KeyRange } from '../../backend/key-range.js';
import type { ListWatcher } from '../../backend/list-watcher.js';
import type { ReadonlySortedMap } from '../../collections/sorted-map.js';
import type { SharedRange } from '../../watch/sharing/shared-range.js';
import type { DefinitionFeed } from '../cache/definition-feed.js';
import type { JointPart } from './part-history.js';

/** A definition and what it follows. */
export interface FollowedDefinition {
  readonly feed: DefinitionFeed;
  /** `undefined` for a definition of several layers. */
  readonly watched?: SharedRange;
  resume(): void;
  hasCaughtUp(revision: number, withinMs: number): Promise<boolean>;
}

/** One key of a definition. A refused value holds the joint state back. */
export function keyPart(followed: FollowedDefinition, key: string, lists: ListWatcher): JointPart<object | undefined> {
  const range = KeyRange.of({ key });
  const { feed, watched } = followed;
  return {
    ...followedPart(followed),
    read: () => feed.cache.get(key),
    isRefused: () => feed.cache.entry(key).state === 'invalid',
    since: () => lastWriteOf(followed, key),
    compare: async (signal, target) => {
      if (!watched) return compareLayers(followed, target);
      const { revision, clusterId, stamps } = await lists.stamps(range, { signal });
      const known = watched.cache?.get(range.rawKey);
      const [found] = stamps;
      const isSame = known?.revision === found?.revision && known?.createRevision === found?.createRevision;
      return isSame && isCurrent(feed, clusterId) ? revision : undefined;
    },
  };
}

/** All keys of a definition. A refused value is represented by the last good one. */
export const definitionPart = (
  followed: FollowedDefinition,
  lists: ListWatcher,
): JointPart<ReadonlySortedMap<object>> => ({
  ...followedPart(followed),
  read: () => followed.feed.cache.view(),
  isRefused: () => false,
  since: () => {
    const { target } = followed.feed.definition;
    return 'key' in target ? lastWriteOf(followed, target.key) : followed.feed.appliedRevision;
  },
  compare: async (signal, target) => {
    const { feed, watched } = followed;
    if (!watched) return compareLayers(followed, target);
    const { revision, clusterId, stamps } = await lists.stamps(watched.range, { signal });
    return watched.cache?.matches(stamps) === true && isCurrent(feed, clusterId) ? revision : undefined;
  },
});

const followedPart = ({ feed, watched }: FollowedDefinition) => ({
  source: feed,
  maySkip: watched === undefined,
  appliedTo: () => feed.visibleRevision,
  history: () => feed.histories,
});

/** True if the values of the definition are those of its range, and of the cluster that has answered. */
const isCurrent = ({ parsing, registration, clusterId }: DefinitionFeed, answered: string): boolean =>
  !parsing.isBusy && registration?.isLagging === false && clusterId === answered;

/** The revision of the last write of a key, or, if that is unknown, of the last change of its definition. */
function lastWriteOf({ feed, watched }: FollowedDefinition, key: string): number {
  const head = watched ? feed.cache.headRevision(key) : 0;
  return head > 0 ? head : feed.appliedRevision;
}

const compareLayers = async (followed: FollowedDefinition, target: number): Promise<number | undefined> =>
  (await followed.hasCaughtUp(target, COMPARE_LIMIT_MS)) && !followed.feed.parsing.isBusy ? target : undefined;

const COMPARE_LIMIT_MS = 2_000;
