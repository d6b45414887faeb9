import type { KeyValueStore } from '../../backend/key-value-store.js';
import type { JsonObject } from '../../dto/json-object.js';
import type { ConfigViolation } from '../../etcd-trigger.errors.js';
import { quoted } from '../../foreign/foreign-text.js';
import type { DefinitionFeed } from '../cache/definition-feed.js';
import { LayeredFeed } from '../layers/layered-feed.js';
import { readTogether } from '../layers/read-together.js';

/**
 * Returns the violations that a write of a document would be rejected with. `layer`: the layer that the document is for;
 * the others are read from etcd.
 */
export async function violationsOf(
  keyValue: Pick<KeyValueStore, 'commit'>,
  feed: DefinitionFeed,
  {
    key,
    layer,
    document,
  }: { readonly key: string; readonly layer?: string | undefined; readonly document: JsonObject },
): Promise<readonly ConfigViolation[]> {
  if (!(feed instanceof LayeredFeed)) {
    const result = await feed.serializer.serialize(document, 'document', feed.cache.headBytes(key));
    return result.ok ? [] : result.violations;
  }
  const bytes = await feed.format.write(document);
  if (!Buffer.isBuffer(bytes)) return bytes.violations;
  const { layers } = await readTogether(keyValue, `check ${quoted(key)}`, feed.layerKeys);
  const parsed = await feed.merger.parse(layers.map((each) => (each.key === layer ? { ...each, bytes } : each)));
  return parsed.ok ? [] : parsed.violations;
}
