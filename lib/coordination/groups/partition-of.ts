import { keyText } from '../../backend/key-record.js';
import { hashOf } from '../rendezvous.js';

/** The text that decides about the partition of a key. `undefined`: the target does not contain the key. */
export type PartitionText = (key: string) => string | undefined;

/**
 * The partition of a key, from 0. The same in every version: the cursors depend on it.
 * @param textOf without it, the key itself decides
 * @returns `undefined` if the target does not contain the key
 */
export function partitionOf(rawKey: string, partitions: number, textOf?: PartitionText): number | undefined {
  if (partitions === 1 && !textOf) return 0;
  const key = keyText(rawKey);
  const text = textOf ? textOf(key) : key;
  return text === undefined ? undefined : hashOf(text) % partitions;
}
