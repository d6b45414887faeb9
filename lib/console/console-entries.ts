import { Injectable } from '@nestjs/common';
import { changedPathsOf } from '../dto/secrets/masked-changes.js';
import { typeName } from '../dto/value-type.js';
import { RevisionConflictError } from '../etcd-trigger.errors.js';
import { quoted } from '../foreign/foreign-text.js';
import { LayeredFeed } from '../store/layers/layered-feed.js';
import { violationsOf } from '../store/writing/document-check.js';
import { CHANGED_PATHS, type WriteNote } from '../store/audit/write-note.js';
import { ConsoleClusters, type GovernedKey } from './console-clusters.js';
import { ConsoleError } from './console-error.js';
import { DefinitionSchemas } from './definition-schemas.js';
import { codecName } from './key-listing.js';
import {
  presented,
  type ReadResult,
  type SentDocument,
  sentDocument,
  shownDocument,
  shownViolations,
  withSecrets,
} from './shown-document.js';
import { checkLayer, readStored, type StoredDocument, storedDocument } from './stored-document.js';

/** A key, and a layer if its definition has some. */
export interface EntryPlace {
  readonly governed: GovernedKey;
  readonly layer: string | undefined;
}

/** The condition of a write, its author and its reason. */
export interface EntryCondition extends WriteNote {
  /** Revision that the key or layer must have; 0: it must be absent. */
  readonly ifRevision: number;
}

/** Shows and writes the documents of keys. Secrets leave the server only as `***`. */
@Injectable()
export class ConsoleEntries {
  readonly schemas = new DefinitionSchemas();

  constructor(private readonly clusters: ConsoleClusters) {}

  /** @throws ConsoleError if no definition covers the key, or it has no such layer */
  placeOf(cluster: string | undefined, key: string, layer: string | undefined): EntryPlace {
    const governed = this.clusters.governed(this.clusters.named(cluster), key);
    return { governed, layer: checkLayer(governed, layer) };
  }

  async read({ governed, layer }: EntryPlace): Promise<object> {
    const { cluster, feed, key } = governed;
    const { definition, cache } = feed;
    const { state, revision, rejectedRevision, source, violations, from, layers } = feed.entry(key);
    const { revision: headRevision, document } = await storedDocument(governed, layer);
    return {
      cluster: cluster.name,
      key,
      ...(layer !== undefined && { layer }),
      definition: definition.name,
      type: typeName(definition.type),
      codec: codecName(definition),
      schema: this.schemas.of(definition),
      secret: definition.secret,
      required: definition.required,
      state,
      revision,
      ...(rejectedRevision !== undefined && { rejectedRevision }),
      source,
      ...(from && { from }),
      ...(layers && { layers }),
      headRevision,
      ageMs: cache.ageMs(key),
      ...(violations && { violations: shownViolations(feed, violations) }),
      ...shownDocument(feed, document),
      canEdit: layer !== undefined || !(feed instanceof LayeredFeed),
    };
  }

  /** Validates a document as a write would. Answers with what was sent. */
  async check({ governed, layer }: EntryPlace, sent: SentDocument): Promise<object> {
    const { cluster, feed, key } = governed;
    const read = await sentDocument(feed, sent);
    if (!read.ok) return { violations: shownViolations(feed, read.violations), changedPaths: [] };
    const current = await storedDocument(governed, layer);
    const restored = withSecrets(feed, read.document, current.document);
    const { document } = restored.ok ? restored : read;
    const violations = restored.ok
      ? await violationsOf(cluster.keyValue, feed, { key, layer, document })
      : restored.violations;
    return {
      violations: shownViolations(feed, violations),
      changedPaths: restored.ok ? changedPathsOf(current.document, read.document, feed.definition) : [],
      ...presented(feed, read.document),
    };
  }

  async put(place: EntryPlace, sent: SentDocument, { ifRevision, author, reason }: EntryCondition): Promise<object> {
    const { governed, layer } = place;
    const { cluster, feed, key } = governed;
    if (layer === undefined && feed instanceof LayeredFeed) {
      throw new ConsoleError(400, `"layer" is missing: the document of ${quoted(key)} is merged from layers`);
    }
    const read = await sentDocument(feed, sent);
    const current = await currentAt(place, ifRevision);
    if (!current) throw await this.#conflict(place, ifRevision);
    const restored = read.ok ? withSecrets(feed, read.document, current.document) : read;
    if (!read.ok || !restored.ok) throw invalid(key, feed, restored);
    const condition = ifRevision === 0 ? { ifAbsent: true } : { ifRevision };
    const paths = changedPathsOf(current.document, read.document, feed.definition);
    const options = { ...condition, layer, author, reason, [CHANGED_PATHS]: new Map([[layer ?? key, paths]]) };
    const store = this.clusters.store(cluster);
    return this.#written(place, ifRevision, () => store.put(key, restored.document, options));
  }

  async delete(place: EntryPlace, { ifRevision, author, reason }: EntryCondition): Promise<object> {
    const { governed, layer } = place;
    const store = this.clusters.store(governed.cluster);
    return this.#written(place, ifRevision, () => store.delete(governed.key, { ifRevision, layer, author, reason }));
  }

  async rollback(place: EntryPlace, revision: number, { ifRevision, author, reason }: EntryCondition): Promise<object> {
    const { governed, layer } = place;
    const store = this.clusters.store(governed.cluster);
    return this.#written(place, ifRevision, () =>
      store.rollback(governed.key, revision, { ifRevision, layer, author, reason }),
    );
  }

  async #written(place: EntryPlace, ifRevision: number, write: () => Promise<object>): Promise<object> {
    try {
      return await write();
    } catch (error) {
      if (error instanceof RevisionConflictError) throw await this.#conflict(place, ifRevision);
      throw error;
    }
  }

  /** The answer to a write that came too late: the current document, for a comparison. */
  async #conflict({ governed, layer }: EntryPlace, demanded: number): Promise<ConsoleError> {
    const key = layer ?? governed.key;
    const { revision, document }: StoredDocument = await readStored(governed, key);
    const { document: shown, text } = shownDocument(governed.feed, document);
    const expected = demanded === 0 ? 'absent' : `at revision ${demanded}`;
    const found = revision === 0 ? 'does not exist' : `is at revision ${revision}`;
    return new ConsoleError(409, `${quoted(key)} was expected to be ${expected}, but ${found}`, {
      code: 'ETCD_REVISION_CONFLICT',
      revision,
      document: shown,
      text,
    });
  }
}

/**
 * Returns the document at a revision; `undefined` if the key has another one. This process may lag behind the one that has
 * shown the document.
 */
async function currentAt({ governed, layer }: EntryPlace, revision: number): Promise<StoredDocument | undefined> {
  const known = await storedDocument(governed, layer);
  if (known.revision === revision) return known;
  const current = await readStored(governed, layer ?? governed.key);
  return current.revision === revision ? current : undefined;
}

function invalid(key: string, feed: GovernedKey['feed'], result: ReadResult): Error {
  const violations = result.ok ? [] : result.violations;
  return new ConsoleError(422, `the value for ${quoted(key)} is not valid`, {
    code: 'ETCD_INVALID_CONFIG',
    violations: shownViolations(feed, violations),
  });
}
