import { escapedKey, hasExactText, rawKeyOf } from '../backend/key-record.js';
import { hasSecrets } from '../dto/class-metadata.js';
import { JSON_FORMAT } from '../dto/formats/json-format.js';
import { isJsonObject, type JsonObject } from '../dto/json-object.js';
import { maskDocument } from '../dto/secrets/document-mask.js';
import type { DefinitionFeed } from '../store/cache/definition-feed.js';
import type { WatchEvent } from '../watch/watch-event.js';
import type { ResolvedConfigDefinition } from '../store/definitions/resolved-definition.js';
import { hasDocument } from './layer-choice.js';
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

/** The documents of a prefix. */
export interface EtcdDocuments {
  /** Sorted by key. */
  readonly documents: readonly EtcdDocument[];
  /** The keys that are not UTF-8, so that no text names them, escaped for messages and sorted. */
  readonly unnamed: readonly string[];
}

/** Reads the documents of a prefix: with an application, those of its definitions; without one, all keys, as JSON. */
export async function readDocuments(session: Session, prefix: string): Promise<EtcdDocuments> {
  const { watcher, declared, feedOf } = session;
  const records: Pick<WatchEvent, 'key' | 'keyBytes' | 'value' | 'revision'>[] = [];
  const watch = await watcher.watch({ prefix }, (event) => {
    if (event.origin === 'initial') records.push(event);
  });
  await watch.initialDelivered;
  await watch.close();
  const documents: EtcdDocument[] = [];
  const unnamed: string[] = [];
  for (const { key, keyBytes, value, revision } of records) {
    if (!value || (declared && !isDocument(declared.governing(key)))) continue;
    const rawKey = rawKeyOf(keyBytes);
    if (!hasExactText(rawKey)) {
      unnamed.push(escapedKey(rawKey));
      continue;
    }
    const feed = declared ? feedOf(key) : undefined;
    const decoded = await (feed?.format ?? JSON_FORMAT).read(value);
    const document = decoded.ok && isJsonObject(decoded.value) ? decoded.value : undefined;
    documents.push({ key, revision, document, isSecret: feed !== undefined && isSecret(feed, document) });
  }
  return { documents: documents.sort((a, b) => (a.key < b.key ? -1 : 1)), unnamed: unnamed.sort() };
}

const isDocument = (definition: ResolvedConfigDefinition | undefined): boolean =>
  definition !== undefined && hasDocument(definition);

/** The class of a part may be known from the document only. */
const isSecret = ({ definition }: DefinitionFeed, document: JsonObject | undefined): boolean =>
  definition.secret ||
  hasSecrets(definition.type) ||
  (document !== undefined && maskDocument(document, definition).places.length > 0);
