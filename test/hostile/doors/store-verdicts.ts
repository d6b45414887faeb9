import type { StoreService } from 'nestjs-etcd-trigger';
import type { ConfigViolation } from 'nestjs-etcd-trigger';
import type { OwnEtcd } from '../../support/own-etcd.js';
import { GOOD, type KeyedDocument, rejected, typeOf, valid, type Verdict } from '../hostile-document.js';

/** Operations of one transaction; etcd accepts 128. */
const CHUNK = 100;

export const rejectedFor = (violations: readonly ConfigViolation[]): Verdict =>
  rejected(...new Set(violations.flatMap(({ constraints }) => constraints)));

/** The verdict that the store shows for the current value of a key. */
export function shownVerdict(store: StoreService, key: string): Verdict {
  const { value, violations } = store.entry(key, typeOf(key));
  return violations ? rejectedFor(violations) : valid(value);
}

/** Writes to etcd past the library. Returns the last revision. */
export async function write(
  etcd: OwnEtcd,
  documents: readonly KeyedDocument[],
  valueOf: (document: KeyedDocument) => Buffer | object,
): Promise<number> {
  let revision = 0;
  const isLarge = documents.some(({ bytes }) => bytes.length > 10_000);
  const size = isLarge ? 1 : CHUNK;
  for (let start = 0; start < documents.length; start += size) {
    const chunk = documents.slice(start, start + size);
    revision = await etcd.putTogether(Object.fromEntries(chunk.map((document) => [document.key, valueOf(document)])));
  }
  return revision;
}

/** Writes a good value to each key, past the library, and returns the values that readers then see. */
export async function healInEtcd(
  etcd: OwnEtcd,
  store: StoreService,
  documents: readonly KeyedDocument[],
): Promise<unknown[]> {
  await store.waitForRevision(await write(etcd, documents, () => GOOD), { timeoutMs: 60_000 });
  return documents.map(({ key }) => store.get(key, typeOf(key)));
}
