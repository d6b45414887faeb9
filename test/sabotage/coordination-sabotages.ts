/** A line of the coordination and a plausible mistake in it. */
export interface CoordinationSabotage {
  /** The mistake, completing the sentence "a coordination whose ...". */
  readonly name: string;
  /** Path in lib/. */
  readonly file: string;
  /** Occurs once in the file. */
  readonly line: string;
  readonly broken: string;
  /** The spec that detects the mistake. */
  readonly spec: string;
}

export const COORDINATION_SABOTAGES: readonly CoordinationSabotage[] = [
  {
    name: 'fence does not compare the lease',
    file: 'coordination/claim.ts',
    line: 'return { rawKey, createRevision, lease: lease.id };',
    broken: 'void lease; return { rawKey, createRevision };',
    spec: 'test/coordination/claim.spec.ts',
  },
  {
    name: '"held" ends by a timer',
    file: 'coordination/claim.ts',
    line: '!this.#isTaken && !this.#isReleased && lease.held',
    broken: '!this.#isTaken && !this.#isReleased && lease.loss === undefined',
    spec: 'test/coordination/claim.spec.ts',
  },
  {
    name: '"held" does not notice a suspension of the machine',
    file: 'coordination/process-lease.ts',
    line: 'if (!this.#wasSuspended) return true;',
    broken: 'return true;',
    spec: 'test/coordination/process-lease.spec.ts',
  },
  {
    name: 'wait for a lock ends without a verifying transaction',
    file: 'coordination/queued-lock.ts',
    line: 'if (predecessor !== undefined) await this.#whenDeleted(predecessor, signal);',
    broken: 'if (predecessor !== undefined) { await this.#whenDeleted(predecessor, signal); return !this.isLost; }',
    spec: 'test/testing/contract/fake.spec.ts',
  },
  {
    name: 'deadline is counted from the answer to a renewal',
    file: 'coordination/lease-renewal.ts',
    line: 'if (isRenewed) this.#lease.confirm(sent);',
    broken: 'if (isRenewed) this.#lease.confirm({ ...sent, now: clock.now() });',
    spec: 'test/coordination/lease-keeper.spec.ts',
  },
  {
    name: 'deadline is counted from the answer to the first request for the lease',
    file: 'coordination/lease-keeper.ts',
    line: 'const lease = this.#begin(granted, sent);',
    broken: 'const lease = this.#begin(granted, { ...sent, now: clock.now() });',
    spec: 'test/coordination/lease-keeper.spec.ts',
  },
  {
    name: 'own key counts as that of another instance after a lost answer',
    file: 'coordination/leased-keys.ts',
    line: 'if (record?.lease === lease.id) return { created: true, createRevision: record.createRevision };',
    broken: 'void record;',
    spec: 'test/coordination/lease-keeper.spec.ts',
  },
  {
    name: 'removal deletes the key of another owner',
    file: 'coordination/leased-keys.ts',
    line: 'conditions: [{ rawKey, lease: lease.id }, barrier.condition],',
    broken: 'conditions: [{ rawKey }, barrier.condition],',
    spec: 'test/coordination/lease-keeper.spec.ts',
  },
  {
    name: 'removal of a key can be applied after it was created again',
    file: 'coordination/leased-keys.ts',
    line: 'conditions: [{ rawKey, lease: lease.id }, barrier.condition],',
    broken: 'conditions: [{ rawKey, lease: lease.id }, { rawKey: barrier.rawKey }],',
    spec: 'test/coordination/lease-keeper.spec.ts',
  },
  {
    name: 'creation of a key can be applied after its removal',
    file: 'coordination/leased-keys.ts',
    line: 'if (isUncertain) await this.#barrier(lease).raise();',
    broken: 'void isUncertain;',
    spec: 'test/coordination/lease-keeper.spec.ts',
  },
  {
    name: 'creation does not require the write barrier',
    file: 'coordination/leased-keys.ts',
    line: 'conditions: [{ rawKey, revision: 0 }, ...conditions, barrier.condition],',
    broken: 'conditions: [{ rawKey, revision: 0 }, ...conditions, { rawKey: barrier.rawKey }],',
    spec: 'test/coordination/lease-keeper.spec.ts',
  },
  {
    name: 'abandoned key is not removed',
    file: 'coordination/leased-keys.ts',
    line: 'if (mayExist || mayArriveLate) void this.remove(lease, rawKey);',
    broken: 'if (mayExist && mayArriveLate) void this.remove(lease, rawKey);',
    spec: 'test/coordination/lease-keeper.spec.ts',
  },
  {
    name: 'tick is stored without comparing the last one',
    file: 'coordination/last-tick.ts',
    line: 'conditions: [claim.condition, { rawKey, revision: known.revision }],',
    broken: 'conditions: [claim.condition, { rawKey }],',
    spec: 'test/coordination/last-tick.spec.ts',
  },
  {
    name: 'tick is stored without the fence of the owner',
    file: 'coordination/last-tick.ts',
    line: 'conditions: [claim.condition, { rawKey, revision: known.revision }],',
    broken: 'conditions: [{ rawKey: claim.rawKey }, { rawKey, revision: known.revision }],',
    spec: 'test/coordination/last-tick.spec.ts',
  },
  {
    name: 'tick is not started if the answer to its transaction was lost',
    file: 'coordination/last-tick.ts',
    line: 'return state.by === by ? state : undefined;',
    broken: 'return void state;',
    spec: 'test/coordination/last-tick.spec.ts',
  },
];
