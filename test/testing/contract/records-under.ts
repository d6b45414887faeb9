import { KeyRange } from '../../../lib/backend/key-range.js';
import type { KeyRecord } from '../../../lib/backend/key-record.js';
import type { ContractCluster } from './contract-cluster.js';
import { openBackend } from './open-backend.js';

/** Reads all records with a prefix, in byte order of their keys. */
export async function recordsUnder({ client }: ContractCluster, prefix: string): Promise<readonly KeyRecord[]> {
  using backend = openBackend(client);
  const { records } = await backend.listWatcher.list(KeyRange.of({ prefix }), {
    signal: new AbortController().signal,
  });
  return [...records.values()];
}
