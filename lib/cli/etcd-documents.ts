import { hasSecrets } from '../dto/class-metadata.js';
import { JSON_FORMAT } from '../dto/formats/json-format.js';
import { isJsonObject, type JsonObject } from '../dto/json-object.js';
import { maskDocument } from '../dto/secrets/document-mask.js';
import type { DefinitionFeed } from '../store/cache/definition-feed.js';
import type { Session } from './session.js';

/** A document in etcd. */
export interface EtcdDocument {
  readonly key: string;
  readonly revision: number;
  /** `undefined` if the bytes are no document of the key's format. */
  readonly document: JsonObject | undefined;
  /** True if the application declares a secret in it. */
  readonly isSecret: boolean;
}

/**
 * Reads the documents of a prefix, sorted by key: with an application, those of its definitions; without one, all keys,
 * as JSON.
 */
export async function readDocuments(session: Session, prefix: string): Promise<EtcdDocument[]> {
  const { watcher, declared, feedOf } = session;
  const records: { key: string; value: Buffer; revision: number }[] = [];
  const watch = await watcher.watch({ prefix }, ({ key, value, revision, origin }) => {
    if (origin === 'initial' && value) records.push({ key, value, revision });
  });
  await watch.initialDelivered;
  await watch.close();
  const documents: EtcdDocument[] = [];
  for (const { key, value, revision } of records) {
    if (declared && !declared.governing(key)) continue;
    const feed = declared ? feedOf(key) : undefined;
    const decoded = await (feed?.format ?? JSON_FORMAT).read(value);
    const document = decoded.ok && isJsonObject(decoded.value) ? decoded.value : undefined;
    documents.push({ key, revision, document, isSecret: feed !== undefined && isSecret(feed, document) });
  }
  return documents.sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** The class of a part may be known from the document only. */
const isSecret = ({ definition }: DefinitionFeed, document: JsonObject | undefined): boolean =>
  definition.secret ||
  hasSecrets(definition.type) ||
  (document !== undefined && maskDocument(document, definition).places.length > 0);
