import type { LayerDocument } from './merged-layers.js';

/**
 * Writes the layers of a value as one document of an offline snapshot. It is a list, which is not valid as the value of a
 * definition without layers.
 */
export const sealLayers = (layers: readonly LayerDocument[]): Buffer =>
  Buffer.from(JSON.stringify(layers.map(({ key, revision, bytes }) => [key, revision, bytes?.toString('base64')])));

/** Reads the layers; `undefined` if they are not those of a definition with these layers. */
export function unsealLayers(envelope: Buffer, keys: readonly string[]): LayerDocument[] | undefined {
  const items = parsed(envelope);
  if (!Array.isArray(items) || items.length !== keys.length) return undefined;
  const layers = items.flatMap((item, index) => layerOf(item, keys[index]) ?? []);
  return layers.length === keys.length ? layers : undefined;
}

function layerOf(item: unknown, expected: string | undefined): LayerDocument | undefined {
  if (!Array.isArray(item)) return undefined;
  const [key, revision, base64] = item as readonly unknown[];
  if (typeof key !== 'string' || key !== expected || !Number.isSafeInteger(revision)) return undefined;
  if (base64 === null) return { key, revision: 0, bytes: undefined };
  return typeof base64 === 'string'
    ? { key, revision: revision as number, bytes: Buffer.from(base64, 'base64') }
    : undefined;
}

function parsed(envelope: Buffer): unknown {
  try {
    return JSON.parse(envelope.toString('utf8'));
  } catch {
    return undefined;
  }
}
