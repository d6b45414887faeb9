import { rawKeyOf } from '../backend/key-record.js';
import { bufferOf } from '../dto/formats/document-bytes.js';
import type { DocumentFormat } from '../dto/formats/document-format.js';
import { JSON_FORMAT } from '../dto/formats/json-format.js';
import type { JsonObject } from '../dto/json-object.js';
import { quoted } from '../foreign/foreign-text.js';
import { LayeredFeed } from '../store/layers/layered-feed.js';
import type { GovernedKey } from './console-clusters.js';
import { ConsoleError } from './console-error.js';
import { decoded } from './shown-document.js';

/** The document of a key or layer in etcd. */
export interface StoredDocument {
  /** Revision of the last write, for a compare-and-swap; 0: absent. */
  readonly revision: number;
  /** `undefined` if the key is absent, or its bytes are not a document. */
  readonly document: JsonObject | undefined;
}

/** @throws ConsoleError if the definition has no such layer */
export function checkLayer({ feed, key }: GovernedKey, layer: string | undefined): string | undefined {
  if (layer === undefined) return undefined;
  if (feed instanceof LayeredFeed && feed.layerKeys.includes(layer)) return layer;
  throw new ConsoleError(400, `${quoted(layer)} is not a layer of ${quoted(key)}`);
}

/**
 * Returns the current document as this process knows it: of a layer, or of the key. For a definition with layers, that
 * of the key is the merge of the layers.
 */
export async function storedDocument(governed: GovernedKey, layer?: string): Promise<StoredDocument> {
  const { feed, key } = governed;
  if (layer !== undefined) return readStored(governed, layer);
  if (feed instanceof LayeredFeed) return mergedDocument(feed, key);
  const { state } = feed.cache.entry(key);
  const revision = feed.headRevision(key);
  // The bytes of a rejected value are not kept in memory.
  if (state === 'invalid') return readStored(governed, key);
  return { revision, document: await decoded(feed, feed.format, feed.cache.headBytes(key)) };
}

/** Reads the current document of a key or layer from etcd. */
export async function readStored({ cluster, feed }: GovernedKey, key: string): Promise<StoredDocument> {
  const { record } = await cluster.keyValue.get(rawKeyOf(key));
  return { revision: record?.revision ?? 0, document: await decoded(feed, feed.format, record?.value) };
}

async function mergedDocument(feed: LayeredFeed, key: string): Promise<StoredDocument> {
  const bytes = feed.cache.visibleBytes(key);
  const format: DocumentFormat = JSON_FORMAT;
  const document = await decoded(feed, format, bytes === undefined ? undefined : bufferOf(bytes));
  return { revision: feed.headRevision(key), document };
}
