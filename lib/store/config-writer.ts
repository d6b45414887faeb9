import { InvalidConfigError, InvalidOptionsError, RevisionConflictError } from '../etcd-trigger.errors.js';
import { keyIdOf, type KeyRecord } from '../watch/key-record.js';
import type { Condition, KeyValueStore } from '../watch/key-value.js';
import type { DefinitionFeed } from './definition-feed.js';

/** How long a write waits until readers of this process see it. */
const VISIBLE_LIMIT_MS = 5_000;

/** What has to hold for a `StoreService.put`. */
export interface PutOptions {
  /** Write only if the key was last written at this revision. */
  readonly ifRevision?: number;
  /** Write only if the key is absent. */
  readonly ifAbsent?: boolean;
}

/** What has to hold for a `StoreService.delete`. */
export interface DeleteOptions {
  /** Delete only if the key was last written at this revision. */
  readonly ifRevision?: number;
}

/** Validates, writes once, and waits until this process's own readers see it. */
export class ConfigWriter {
  constructor(private readonly keyValue: KeyValueStore) {}

  async put(
    feed: DefinitionFeed,
    key: string,
    value: object,
    options: PutOptions,
  ): Promise<{ revision: number; visible: boolean }> {
    const condition = conditionOf(key, options);
    const serialized = await feed.serializer.serialize(value);
    if (!serialized.ok) throw new InvalidConfigError(`the value for "${key}"`, serialized.violations, { key });
    const id = keyIdOf(key);
    const result = await this.keyValue.commit({
      what: `put "${key}"`,
      key,
      conditions: condition ? [condition] : [],
      operations: [{ type: 'put', id, value: serialized.bytes }],
    });
    if (!result.applied) throw await conflict(feed, key, condition, result.current[0]);
    return { revision: result.revision, visible: await feed.whenVisible(result.revision, VISIBLE_LIMIT_MS) };
  }

  async delete(
    feed: DefinitionFeed,
    key: string,
    options: DeleteOptions,
  ): Promise<{ revision: number; deleted: boolean; visible: boolean }> {
    const condition = conditionOf(key, options);
    const result = await this.keyValue.commit({
      what: `delete "${key}"`,
      key,
      conditions: condition ? [condition] : [],
      operations: [{ type: 'delete', id: keyIdOf(key) }],
    });
    if (!result.applied) throw await conflict(feed, key, condition, result.current[0]);
    const { revision } = result;
    // Deleting what is absent makes no revision that readers could wait for.
    if (result.deleted === 0) return { revision, deleted: false, visible: true };
    return { revision, deleted: true, visible: await feed.whenVisible(revision, VISIBLE_LIMIT_MS) };
  }
}

function conditionOf(key: string, { ifRevision, ifAbsent }: PutOptions): Condition | undefined {
  if (ifRevision !== undefined && ifAbsent) {
    throw new InvalidOptionsError(`put "${key}": ifRevision and ifAbsent exclude each other`, { key });
  }
  if (ifAbsent) return { id: keyIdOf(key), revision: 0 };
  if (ifRevision === undefined) return undefined;
  if (!Number.isSafeInteger(ifRevision) || ifRevision < 1) {
    throw new InvalidOptionsError(`"${key}": ifRevision is a revision of etcd, an integer of at least 1`, { key });
  }
  return { id: keyIdOf(key), revision: ifRevision };
}

async function conflict(
  feed: DefinitionFeed,
  key: string,
  condition: Condition | undefined,
  found: KeyRecord | undefined,
): Promise<RevisionConflictError> {
  const expected = condition?.revision ? `at revision ${condition.revision}` : 'absent';
  const parsed = found && (await feed.parser.parse(found.value));
  const current = parsed?.ok ? parsed.value : undefined;
  return new RevisionConflictError(key, expected, found?.revision ?? 0, () => current);
}
