import { rawKeyOf, type KeyRecord } from '../../backend/key-record.js';
import type { Condition } from '../../backend/key-value-store.js';
import { RevisionConflictError } from '../../etcd-trigger.errors.js';
import type { KeyWrite } from './key-write.js';

/** A key that is not written, and must still be at this revision; 0: absent. */
export interface Guard {
  readonly key: string;
  readonly revision: number;
}

/** A write that was not applied. `current`: the record of the first key with an unexpected revision. */
export interface WriteConflict {
  readonly applied: false;
  readonly conflict: RevisionConflictError;
  readonly current: KeyRecord | undefined;
}

export const guardOf = ({ key, revision }: Guard): Condition => ({
  rawKey: rawKeyOf(key),
  revision,
});

/** Describes the first key with an unexpected revision. */
export async function conflictOf(
  conditional: readonly KeyWrite[],
  records: readonly (KeyRecord | undefined)[],
  guards: readonly Guard[],
): Promise<WriteConflict> {
  const isAsExpected = ({ expected }: KeyWrite, index: number): boolean => (records[index]?.revision ?? 0) === expected;
  const index = conditional.findIndex((write, at) => !isAsExpected(write, at));
  const failed = conditional[index];
  if (!failed) return guardConflict(guards, records.slice(-guards.length));
  const { feed, key, expected } = failed;
  const current = records[index];
  const parsed = current && (await feed.parseValue(key, current.value));
  const value = parsed?.ok ? parsed.value : undefined;
  const demanded = expected ? `at revision ${expected}` : 'absent';
  const conflict = new RevisionConflictError(key, demanded, current?.revision ?? 0, () => value, feed.definition.type);
  return { applied: false, conflict, current };
}

/** Describes the first key that is not at the revision of its guard. */
function guardConflict(guards: readonly Guard[], records: readonly (KeyRecord | undefined)[]): WriteConflict {
  const index = guards.findIndex(({ revision }, at) => (records[at]?.revision ?? 0) !== revision);
  const { key = '', revision = 0 } = guards[index] ?? {};
  const current = records[index];
  const demanded = revision ? `at revision ${revision}` : 'absent';
  const conflict = new RevisionConflictError(key, demanded, current?.revision ?? 0, () => undefined, undefined);
  return { applied: false, conflict, current };
}
