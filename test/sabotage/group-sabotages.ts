import type { CoordinationSabotage } from './coordination-sabotages.js';

/** Mistakes in handler groups and in the audit trail. */
export const GROUP_SABOTAGES: readonly CoordinationSabotage[] = [
  {
    name: 'cursor is written without the fence',
    file: 'coordination/groups/cursor-writer.ts',
    line: 'return [claim.condition, { rawKey, revision: this.#revision }];',
    broken: 'return [{ rawKey: claim.rawKey }, { rawKey, revision: this.#revision }];',
    spec: 'test/coordination/groups/cursor-writer.spec.ts',
  },
  {
    name: 'cursor is written without comparing the former one',
    file: 'coordination/groups/cursor-writer.ts',
    line: 'return [claim.condition, { rawKey, revision: this.#revision }];',
    broken: 'return [claim.condition, { rawKey }];',
    spec: 'test/coordination/groups/cursor-writer.spec.ts',
  },
  {
    name: 'cursor moves past an unfinished event',
    file: 'coordination/groups/partition-progress.ts',
    line: 'return { r: first ? first.revision - 1 : this.#seen,',
    broken: 'return { r: first ? first.revision : this.#seen,',
    spec: 'test/coordination/groups/partition-progress.spec.ts',
  },
  {
    name: 'partition moves before the members have settled',
    file: 'coordination/groups/partition-claiming.ts',
    line: 'if (own && !isAssigned && this.#isSettled && !this.#substituted.has(partition)) void own.end();',
    broken: 'if (own && !isAssigned && !this.#substituted.has(partition)) void own.end();',
    spec: 'test/coordination/groups/partitions.spec.ts',
  },
  {
    name: 'repeated event is not marked',
    file: 'coordination/groups/partition-claimer.ts',
    line: 'const mayRepeat = last.released !== true || last.interrupted === true;',
    broken: 'const mayRepeat = false as boolean;',
    spec: 'test/coordination/groups/handler-group.spec.ts',
  },
  {
    name: 'parked event stays among those that are tried',
    file: 'coordination/groups/partition-cursor.ts',
    line: 'this.#trying.delete(position);',
    broken: 'void position;',
    spec: 'test/coordination/groups/partition-cursor.spec.ts',
  },
  {
    name: 'cursor moves past what was missed while the partition ended',
    file: 'coordination/groups/partition-receiver.ts',
    line: 'this.#firstMissed = Math.min(this.#firstMissed, notice?.fromRevision ?? batch.revision);',
    broken: 'void this.#firstMissed;',
    spec: 'test/coordination/groups/partitions.spec.ts',
  },
  {
    name: 'claim does not compare the configuration',
    file: 'coordination/groups/partition-claimer.ts',
    line: '{ rawKey: keys.config, revision: config },',
    broken: '{ rawKey: keys.config, ...(config < 0 && { revision: config }) },',
    spec: 'test/coordination/groups/partition-claimer.spec.ts',
  },
  {
    name: 'audit record is written in a transaction of its own',
    file: 'store/writing/config-writer.ts',
    line: '...(records?.operations ?? []),',
    broken:
      '...(records ? (void this.#keyValue.commit({ what, conditions: [], operations: [...records.operations] }), []) : []),',
    spec: 'test/store/audit/audit.spec.ts',
  },
  {
    name: 'audit record contains the values',
    file: 'store/audit/audit-trail.ts',
    line: 'return old.ok && next.ok ? changedPaths(old.value, next.value) : undefined;',
    broken:
      'return old.ok && next.ok ? [...changedPaths(old.value, next.value), JSON.stringify(next.value)] : undefined;',
    spec: 'test/store/audit/audit.spec.ts',
  },
];
