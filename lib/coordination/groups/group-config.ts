import { keyText } from '../../backend/key-record.js';
import type { Condition, KeyValueStore, Operation } from '../../backend/key-value-store.js';
import { quoted } from '../../foreign/foreign-text.js';
import { type GroupKeys, partitionName } from '../coordination-keys.js';
import { parseObject } from '../members.js';
import { type CursorStamp, type GroupCursor, serializeCursor } from './group-cursor.js';
import { MAX_PARTITIONS } from './group-options.js';

/** The part of a group's options that its cursors depend on. */
export interface GroupConfig {
  readonly target: string;
  readonly partitions: number;
  readonly partitionBy: string | undefined;
  /** The fields that a later version has stored, which are kept. */
  readonly others?: Readonly<Record<string, unknown>> | undefined;
}

/** Why an instance takes no part in a group. */
export type ConfigMismatch =
  { readonly kind: 'version' } | { readonly kind: 'partitions'; readonly stored: number } | { readonly kind: 'target' };

export const serializeConfig = ({ target, partitions, partitionBy, others }: GroupConfig): Buffer =>
  Buffer.from(JSON.stringify({ v: 1, ...others, target, partitions, partitionBy }));

/** Returns `undefined` for a value that this version cannot read. */
export function parseConfig(value: Buffer): GroupConfig | undefined {
  const { v, target, partitions, partitionBy, ...others } = parseObject(value);
  if (v !== 1 || typeof target !== 'string' || !isPartitions(partitions)) return undefined;
  return { target, partitions, partitionBy: typeof partitionBy === 'string' ? partitionBy : undefined, others };
}

const isPartitions = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_PARTITIONS;

/** Compares the stored configuration with that of this instance. */
export function mismatchOf(stored: Buffer, own: GroupConfig): ConfigMismatch | undefined {
  const config = parseConfig(stored);
  if (!config) return { kind: 'version' };
  if (config.target !== own.target || config.partitionBy !== own.partitionBy) return { kind: 'target' };
  return config.partitions === own.partitions ? undefined : { kind: 'partitions', stored: config.partitions };
}

/** One sentence for a mismatch, which says what to do. */
export function mismatchSentence(group: string, own: GroupConfig, mismatch: ConfigMismatch): string {
  const subject = `this instance takes no part in the group ${quoted(group)}`;
  switch (mismatch.kind) {
    case 'version':
      return `${subject}: another version of this library has stored it; update this instance`;
    case 'target':
      return `${subject}: its target or "partitionBy" in etcd is another one; use another group name, or let the group begin again by GroupRegistry.reset()`;
    case 'partitions':
      return `${subject}: it has ${mismatch.stored} partitions in etcd, and ${own.partitions} in the options; call GroupRegistry.repartition() when no instance owns one`;
  }
}

/** The keys of the cursors of a group. */
export const cursorKeys = ({ cursors }: Pick<GroupKeys, 'cursors'>, partitions: number): string[] =>
  Array.from({ length: partitions }, (_, partition) => cursors + partitionName(partition));

/** The cursor of a group that has handled nothing. */
export const firstCursor = (from: 'existing' | 'now'): GroupCursor => ({
  r: 0,
  done: [],
  phase: from === 'now' ? 'now' : 'initial',
  stalls: 0,
  cluster: '',
  released: true,
});

/**
 * Stores the configuration of a group and its first cursors, unless somebody else has done it before. Cursors that exist
 * are not touched.
 */
export async function createGroup(
  keyValue: KeyValueStore,
  keys: GroupKeys,
  {
    config,
    from,
    stamp,
  }: { readonly config: GroupConfig; readonly from: 'existing' | 'now'; readonly stamp: CursorStamp },
): Promise<void> {
  const put = (rawKey: string, value: Buffer): Operation => ({ type: 'put', rawKey, value });
  const own = put(keys.config, serializeConfig(config));
  const cursors = cursorKeys(keys, config.partitions).map((rawKey) =>
    put(rawKey, serializeCursor(firstCursor(from), stamp)),
  );
  const absent: Condition = { rawKey: keys.config, revision: 0 };
  const what = `create ${quoted(keyText(keys.config))}`;
  const result = await keyValue.commit({
    what,
    conditions: [absent, { rawKey: keys.cursors, noneCreatedBefore: 0 }],
    operations: [own, ...cursors],
  });
  // Only the configuration was deleted: the group goes on at its cursors.
  if (!result.applied && !result.current[0]) {
    await keyValue.commit({ what, conditions: [absent], operations: [own] });
  }
}
