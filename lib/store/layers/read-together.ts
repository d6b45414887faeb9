import { rawKeyOf } from '../../backend/key-record.js';
import type { KeyValueStore } from '../../backend/key-value-store.js';
import type { LayerDocument } from './merged-layers.js';

/** Documents that existed at one revision. */
export interface LayersAt {
  readonly revision: number;
  readonly layers: readonly LayerDocument[];
}

/**
 * Reads several keys at one revision (linearizable): a transaction whose compares cannot hold answers with the records
 * of their keys.
 */
export async function readTogether(
  keyValue: Pick<KeyValueStore, 'commit'>,
  what: string,
  keys: readonly string[],
): Promise<LayersAt> {
  const conditions = keys.map((key) => ({ rawKey: rawKeyOf(key), revision: Number.MAX_SAFE_INTEGER }));
  const result = await keyValue.commit({ what, conditions, operations: [] });
  const current = result.applied ? [] : result.current;
  const layers = keys.map((key, index) => {
    const record = current[index];
    return { key, revision: record?.revision ?? 0, bytes: record?.value };
  });
  return { revision: result.revision, layers };
}
