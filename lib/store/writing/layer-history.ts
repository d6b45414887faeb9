import { rawKeyOf } from '../../backend/key-record.js';
import type { KeyValueStore } from '../../backend/key-value-store.js';
import { CompactedError } from '../../backend/list-watcher.js';
import type { LayeredFeed } from '../layers/layered-feed.js';
import type { LayerDocument } from '../layers/merged-layers.js';
import type { ConfigViolation } from '../../etcd-trigger.errors.js';

/** The merge of all layers at one revision. */
export interface MergedRevision {
  readonly revision: number;
  readonly value: object | undefined;
  readonly violations?: readonly ConfigViolation[];
}

/**
 * Returns the merges at the revisions at which a layer was written, newest first. Deletions of a layer are not listed;
 * later revisions show them.
 */
export async function layerHistory(
  keyValue: Pick<KeyValueStore, 'get'>,
  feed: LayeredFeed,
  revisions: Iterable<number>,
  limit: number,
): Promise<MergedRevision[]> {
  const newest = [...new Set(revisions)].sort((a, b) => b - a).slice(0, limit);
  const merges: MergedRevision[] = [];
  for (const revision of newest) {
    const layers = await layersAt(keyValue, feed.layerKeys, revision);
    if (!layers) break;
    const parsed = await feed.merger.parse(layers);
    merges.push(
      parsed.ok ? { revision, value: parsed.value } : { revision, value: undefined, violations: parsed.violations },
    );
  }
  return merges;
}

/** Returns `undefined` if etcd has compacted the revision. */
async function layersAt(
  keyValue: Pick<KeyValueStore, 'get'>,
  keys: readonly string[],
  revision: number,
): Promise<LayerDocument[] | undefined> {
  try {
    return await Promise.all(
      keys.map(async (key) => {
        const { record } = await keyValue.get(rawKeyOf(key), { revision });
        return { key, revision: record?.revision ?? 0, bytes: record?.value };
      }),
    );
  } catch (error) {
    if (error instanceof CompactedError) return undefined;
    throw error;
  }
}
