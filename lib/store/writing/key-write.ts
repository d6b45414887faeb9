import type { Condition, Operation } from '../../backend/key-value-store.js';
import { rawKeyOf } from '../../backend/key-record.js';
import type { SerializeResult } from '../../dto/dto-serializer.js';
import type { WrittenForm } from '../../dto/plain-document.js';
import { InvalidConfigError } from '../../etcd-trigger.errors.js';
import { quoted } from '../../foreign/foreign-text.js';
import type { AuditAction } from '../audit/audit-record.js';
import type { AuditedWrite } from '../audit/audit-trail.js';
import type { DefinitionFeed } from '../cache/definition-feed.js';

/** One validated operation of a write. */
export interface KeyWrite {
  readonly feed: DefinitionFeed;
  readonly key: string;
  readonly operation: Operation;
  /** Revision that the key must have; 0: the key must be absent; `undefined`: no condition. */
  readonly expected: number | undefined;
  /**
   * Other feeds that show the key.
   * @default none
   */
  readonly shownBy?: readonly DefinitionFeed[];
  /**
   * The document that the write replaces, where it was read for the write.
   * @default the last one that the feed has seen
   */
  readonly before?: ReplacedDocument | undefined;
}

/** A document in etcd. */
interface ReplacedDocument {
  /** 0: the key is absent. */
  readonly revision: number;
  /** `undefined`: absent or unknown. */
  readonly bytes: Buffer | undefined;
}

/** @throws InvalidConfigError if readers would reject the value */
export async function plannedPut(
  feed: DefinitionFeed,
  key: string,
  content: PutContent,
  expected: number | undefined,
): Promise<KeyWrite> {
  const serialized = await serialize(feed, key, content);
  if (!serialized.ok) throw new InvalidConfigError(`the value for ${quoted(key)}`, serialized.violations, { key });
  return { feed, key, operation: { type: 'put', rawKey: rawKeyOf(key), value: serialized.bytes }, expected };
}

/** A value that replaces the document of its key, or is laid over the document `head`. */
export type PutContent =
  { readonly value: unknown; readonly form: WrittenForm } | { readonly value: unknown; readonly head: Buffer };

function serialize(
  { serializer, cache }: DefinitionFeed,
  key: string,
  content: PutContent,
): SerializeResult<object> | Promise<SerializeResult<object>> {
  return 'head' in content
    ? serializer.serializeOver(content.value, content.head)
    : serializer.serialize(content.value, content.form, cache.headBytes(key));
}

export const plannedDelete = (feed: DefinitionFeed, key: string, expected: number | undefined): KeyWrite => ({
  feed,
  key,
  operation: { type: 'delete', rawKey: rawKeyOf(key) },
  expected,
});

export const conditionOf = ({ operation: { rawKey }, expected = 0 }: KeyWrite): Condition => ({
  rawKey,
  revision: expected,
});

/** Describes the write for the audit trail. */
export function auditedWrite({ feed, key, operation, expected, before }: KeyWrite, action?: AuditAction): AuditedWrite {
  const { cache } = feed;
  const seen = before ?? { revision: feed.headRevision(key), bytes: cache.headBytes(key) };
  return {
    key,
    action: action ?? operation.type,
    fromRevision: expected ?? seen.revision,
    before: expected === undefined || expected === seen.revision ? seen.bytes : undefined,
    after: operation.type === 'put' ? operation.value : undefined,
    format: feed.format,
    limits: feed.parser.limits,
  };
}
