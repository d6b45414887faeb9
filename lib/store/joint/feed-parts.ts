import { KeyRange } from '../../backend/key-range.js';
import type { ListWatcher } from '../../backend/list-watcher.js';
import type { ReadonlySortedMap } from '../../collections/sorted-map.js';
import type { SharedRange } from '../../watch/sharing/shared-range.js';
import type { DefinitionFeed } from '../cache/definition-feed.js';
import type { JointPart } from './part-history.js';

/** A definition and the range that it follows. */
export interface FollowedFeed {
  readonly feed: DefinitionFeed;
  readonly watched: SharedRange;
}

/** One key of a definition. A refused value holds the joint state back. */
export function keyPart(
  { feed, watched }: FollowedFeed,
  key: string,
  lists: ListWatcher,
): JointPart<object | undefined> {
  const range = KeyRange.of({ key });
  return {
    ...followedPart(feed),
    read: () => feed.cache.get(key),
    isRefused: () => feed.cache.entry(key).state === 'invalid',
    since: () => feed.cache.headRevision(key) || feed.appliedRevision,
    compare: async (signal) => {
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
  { feed, watched }: FollowedFeed,
  lists: ListWatcher,
): JointPart<ReadonlySortedMap<object>> => ({
  ...followedPart(feed),
  read: () => feed.cache.view(),
  isRefused: () => false,
  since: () => {
    const { target } = feed.definition;
    return ('key' in target && feed.cache.headRevision(target.key)) || feed.appliedRevision;
  },
  compare: async (signal) => {
    const { revision, clusterId, stamps } = await lists.stamps(watched.range, { signal });
    return watched.cache?.matches(stamps) === true && isCurrent(feed, clusterId) ? revision : undefined;
  },
});

const followedPart = (feed: DefinitionFeed) => ({
  source: feed,
  appliedTo: () => feed.visibleRevision,
  history: () => feed.histories,
});

/** True if the values of the definition are those of its range, and of the cluster that has answered. */
const isCurrent = ({ isParsing, registration, clusterId }: DefinitionFeed, answered: string): boolean =>
  !isParsing && registration?.isLagging === false && clusterId === answered;
