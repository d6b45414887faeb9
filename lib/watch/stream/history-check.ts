import { FutureRevisionError, type WatchHeader, type WatchStream } from '../../backend/list-watcher.js';
import type { ResyncNotice } from '../watch-event.js';
import type { RangeCache } from './range-cache.js';

/**
 * Compares the history of the member with the cache, before the stream delivers. Returns the reason for a resync, or
 * undefined if both have the same history. A lagging member has the same history. No header shows that a restored store
 * has grown past the cursor, so the writes themselves are compared, on the member that serves the stream.
 */
export async function checkHistory(
  stream: WatchStream,
  header: WatchHeader,
  cache: RangeCache,
  { isFresh }: { /** True if the cache was listed immediately before. */ readonly isFresh: boolean },
): Promise<ResyncNotice['reason'] | undefined> {
  // A proxy may name no cluster, which proves nothing.
  const areNamed = cache.clusterId !== '' && header.clusterId !== '';
  if (areNamed && header.clusterId !== cache.clusterId) return 'cluster-changed';
  const known = cache.next - 1;
  const isBehind = header.revision < known;
  if (known === 0 || (isFresh && !isBehind)) return undefined;
  try {
    const { stamps } = await stream.stampsAt(known, { linearizable: isBehind });
    return cache.matches(stamps) ? undefined : 'restored';
  } catch (error) {
    if (isBehind && error instanceof FutureRevisionError) return 'restored';
    throw error;
  }
}
