import type { ConfigDocument } from '../cache/config-cache.js';

export interface SnapshotContent {
  /** Identity that the servers of the etcd cluster report. */
  readonly clusterId: string;
  /** Name of the cluster in the application. */
  readonly cluster: string;
  readonly keyPrefix: string;
  /** Time at which all values were last known to be current, in milliseconds since 1970. */
  readonly asOf: number;
  /** Definitions whose documents are included, such as `key "/app/db"`. */
  readonly definitions: readonly string[];
  readonly documents: readonly ConfigDocument[];
}

/** Checks the first line of a file, parsed as JSON. Returns `undefined` if a part is missing or has another type. */
export function snapshotHeadOf(value: unknown): Omit<SnapshotContent, 'documents'> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { clusterId, cluster, keyPrefix, asOf, definitions } = value as Record<string, unknown>;
  if (!isString(clusterId) || !isString(cluster) || !isString(keyPrefix) || !isTime(asOf)) return undefined;
  if (!Array.isArray(definitions) || !definitions.every(isString)) return undefined;
  return { clusterId, cluster, keyPrefix, asOf, definitions };
}

/** Checks a further line. Returns `undefined` if it is not a key, a revision and bytes in base64. */
export function snapshotDocumentOf(value: unknown): ConfigDocument | undefined {
  if (!Array.isArray(value) || value.length !== 3) return undefined;
  const [key, revision, base64] = value as unknown[];
  if (!isString(key) || !isRevision(revision) || !isString(base64)) return undefined;
  const bytes = Buffer.from(base64, 'base64');
  return bytes.toString('base64') === base64 ? { key, revision, bytes } : undefined;
}

const isString = (value: unknown): value is string => typeof value === 'string';

const isRevision = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** The range of `Date`. */
const isTime = (value: unknown): value is number => isRevision(value) && value <= 8.64e15;
