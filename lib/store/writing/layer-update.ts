import { InvalidConfigError, InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { quoted } from '../../foreign/foreign-text.js';
import { changedPaths } from '../../dto/document-diff.js';
import { documentOver, mergedDocument, patchOf } from '../../dto/document-merge.js';
import type { JsonObject } from '../../dto/json-object.js';
import type { LayeredFeed } from '../layers/layered-feed.js';
import type { LayerDocument, MergedLayers } from '../layers/merged-layers.js';
import type { ConfigUpdate } from './config-updater.js';

/**
 * Returns the document of a layer with which readers see the result of `change`. Only the differences between the
 * current value and the result are written into the layer.
 *
 * @throws InvalidConfigError if a layer is not a document, or the result cannot be one
 * @throws InvalidOptionsError if a later layer or the override sets a property that is changed
 */
export async function updatedLayer(
  feed: LayeredFeed,
  layer: string,
  layers: readonly LayerDocument[],
  change: ConfigUpdate<object>,
): Promise<JsonObject> {
  const { name: key } = feed.definition;
  const read = await feed.merger.read(layers);
  if (!read.ok) throw new InvalidConfigError(quoted(key), read.violations, { key });
  const current = await currentValue(feed, layers);
  const before = current === undefined ? {} : documentOf(feed, current);
  const patch = patchOf(before, documentOf(feed, await change(current)));
  const { below, own, above } = around(read.merged, feed.layerKeys, layer);
  const next = documentOver(below, own, mergedDocument([below, own, patch]));
  const whole = mergedDocument([below, next, ...above]);
  const [hidden] = changedPaths(whole, mergedDocument([whole, patch]));
  if (hidden === undefined) return next;
  throw new InvalidOptionsError(
    `update ${quoted(key)}: ${hidden || 'the document'} cannot be changed in layer ${quoted(layer)}, because a later layer or the override sets it`,
    { key },
  );
}

/** Returns what readers see of the layers: the last good value if they are invalid, the default if there are none. */
async function currentValue(feed: LayeredFeed, layers: readonly LayerDocument[]): Promise<object | undefined> {
  const { name: key } = feed.definition;
  if (layers.every(({ bytes }) => bytes === undefined)) return feed.cache.afterDelete(key);
  const parsed = await feed.merger.parse(layers);
  return parsed.ok ? parsed.value : feed.cache.get(key);
}

function documentOf({ definition: { name: key }, serializer }: LayeredFeed, value: unknown): JsonObject {
  const result = serializer.documentOf(value, 'class');
  if (!result.ok) throw new InvalidConfigError(`the value for ${quoted(key)}`, result.violations, { key });
  return result.document;
}

/** The documents that are merged before a layer, as one, its own, and those that are merged after it. */
interface AroundLayer {
  readonly below: JsonObject;
  readonly own: JsonObject;
  readonly above: readonly JsonObject[];
}

function around({ parts }: MergedLayers, layerKeys: readonly string[], layer: string): AroundLayer {
  const position = layerKeys.indexOf(layer);
  const placed = parts.map(({ document, origin }) => {
    if (origin.source === 'layer') return { document, place: layerKeys.indexOf(origin.layer) };
    return { document, place: origin.source === 'default' ? -1 : layerKeys.length };
  });
  const documentsAt = (isWanted: (place: number) => boolean): JsonObject[] =>
    placed.filter(({ place }) => isWanted(place)).map(({ document }) => document);
  return {
    below: mergedDocument(documentsAt((place) => place < position)),
    own: documentsAt((place) => place === position)[0] ?? {},
    above: documentsAt((place) => place > position),
  };
}
