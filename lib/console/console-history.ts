import { Injectable } from '@nestjs/common';
import { rawKeyOf, type KeyRecord } from '../backend/key-record.js';
import { CompactedError } from '../backend/list-watcher.js';
import type { JsonObject } from '../dto/json-object.js';
import { type ConfigViolation, EtcdTriggerError } from '../etcd-trigger.errors.js';
import type { AuditRecord } from '../store/audit/audit-record.js';
import { LayeredFeed } from '../store/layers/layered-feed.js';
import { firstChangeAfter, readerOf, recordsBefore } from '../store/writing/key-history.js';
import { ConsoleClusters, type GovernedKey } from './console-clusters.js';
import type { EntryPlace } from './console-entries.js';
import { changesBetween, type DocumentChange } from './document-changes.js';
import { decoded, shownDocument, type ShownDocument, shownPart } from './shown-document.js';

/** One revision of a key. */
interface ShownRevision {
  readonly revision: number;
  readonly document: ShownDocument['document'];
  readonly deleted: boolean;
  readonly violations?: readonly ConfigViolation[];
  readonly changes: readonly DocumentChange[];
  readonly audit?: object;
}

/** The state of a key from one revision on. */
interface KeyState {
  readonly revision: number;
  readonly deleted: boolean;
  readonly document: JsonObject | undefined;
  readonly violations?: readonly ConfigViolation[];
}

/** The states, newest first. `isComplete`: the last one is the first of the key. */
interface KeyStates {
  readonly states: readonly KeyState[];
  readonly isComplete: boolean;
}

/** Reads the revisions of a key that etcd still has, and what each has changed. */
@Injectable()
export class ConsoleHistory {
  constructor(private readonly clusters: ConsoleClusters) {}

  async read({ governed, layer }: EntryPlace, limit: number): Promise<object> {
    const { feed } = governed;
    const isMerged = feed instanceof LayeredFeed && layer === undefined;
    const [{ states, isComplete }, records] = await Promise.all([
      isMerged ? this.#mergedStates(governed, limit) : keyStates(governed, layer ?? governed.key, limit),
      this.#auditOf(governed, layer),
    ]);
    const shown = states.slice(0, limit);
    const revisions = shown.map((state, index) =>
      shownRevision(feed, state, states[index + 1], records.get(state.revision)),
    );
    return { revisions, complete: isComplete && states.length <= limit };
  }

  /** The merges of the layers, in the form of the class, with its defaults. */
  async #mergedStates({ cluster, feed, key }: GovernedKey, limit: number): Promise<KeyStates> {
    const revisions = await this.clusters.store(cluster).history(key, { limit: limit + 1 });
    const states = revisions.map(({ revision, value, violations }): KeyState => {
      const result = value && feed.serializer.documentOf(value, 'class');
      const document = result?.ok ? result.document : undefined;
      return { revision, deleted: false, document, ...(violations && { violations }) };
    });
    return { states, isComplete: false };
  }

  /** Returns the records of the audit trail by revision: those of one layer, or of all. */
  async #auditOf({ cluster, key }: GovernedKey, layer: string | undefined): Promise<ReadonlyMap<number, AuditRecord>> {
    if (!cluster.options.audit) return new Map();
    try {
      const records = await this.clusters.store(cluster).audit(key, { limit: MAX_RECORDS });
      // A transaction may write several layers at one revision.
      const own = records.filter((record) => layer === undefined || record.key === layer);
      return new Map(own.map((record) => [record.revision, record]));
    } catch (error) {
      // The history is useful without the trail, such as without the permission to read it.
      if (error instanceof EtcdTriggerError) return new Map();
      throw error;
    }
  }
}

const MAX_RECORDS = 500;

function shownRevision(
  feed: GovernedKey['feed'],
  state: KeyState,
  before: KeyState | undefined,
  record: AuditRecord | undefined,
): ShownRevision {
  const { revision, deleted, document, violations } = state;
  const { document: shown } = shownDocument(feed, document);
  // Bytes that are not a document cannot be compared.
  const isComparable = before !== undefined && [state, before].every((each) => each.deleted || each.document);
  return {
    revision,
    document: shown,
    deleted,
    ...(violations && { violations }),
    changes: isComparable ? changesBetween(shownPart(feed, before.document), shownPart(feed, document)) : [],
    ...(record && { audit: shownRecord(record) }),
  };
}

function shownRecord({ author, reason, time, changedPaths, group, instance, action }: AuditRecord): object {
  const source = group === undefined ? instance.podName : `the handler group ${group}`;
  return { author, reason, at: time.toISOString(), changedPaths, source, action };
}

async function keyStates(governed: GovernedKey, key: string, limit: number): Promise<KeyStates> {
  const { cluster, feed } = governed;
  const { keyValue } = cluster;
  const rawKey = rawKeyOf(key);
  const readAt = readerOf(keyValue, rawKey);
  const states: KeyState[] = [];
  let newer: KeyRecord | undefined;
  try {
    const { record: current, revision: now } = await keyValue.get(rawKey);
    for await (const record of recordsBefore(keyValue, rawKey)) {
      // A key that was created after this record was deleted in between.
      const deletedBefore = newer ? newer.createRevision : current ? undefined : now;
      if (deletedBefore !== undefined && deletedBefore > record.revision) {
        const revision = await firstChangeAfter(record.revision, deletedBefore, readAt);
        states.push({ revision, deleted: true, document: undefined });
      }
      states.push(await stateOf(feed, record, key !== governed.key));
      newer = record;
      if (states.length > limit) return { states, isComplete: false };
    }
    return { states, isComplete: true };
  } catch (error) {
    if (error instanceof CompactedError) return { states, isComplete: false };
    throw error;
  }
}

/** A layer is a part, which is not validated alone. */
async function stateOf(feed: GovernedKey['feed'], { revision, value }: KeyRecord, isLayer: boolean): Promise<KeyState> {
  const document = await decoded(feed, feed.format, value);
  const parsed = isLayer || feed instanceof LayeredFeed ? undefined : await feed.parser.parse(value);
  return {
    revision,
    deleted: false,
    document,
    ...(parsed && !parsed.ok && { violations: parsed.violations }),
  };
}
