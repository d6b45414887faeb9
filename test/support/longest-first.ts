import { existsSync } from 'node:fs';
import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Specs that need the most time, the longest first. Started late, they would be waited for by idle workers. */
const LONGEST = [
  'test/faults/laboratory.spec.ts',
  'test/bench/bench.spec.ts',
  'test/coordination/groups/interrupted-requests.spec.ts',
  'test/faults/coordination.restore.spec.ts',
  'test/hostile/documents.spec.ts',
  'test/testing/contract/etcd.spec.ts',
  'test/sample-app/hand-over.spec.ts',
  'test/testing/nothing-left-behind.spec.ts',
  'test/faults/etcd.lost-leader.spec.ts',
  'test/package/installed.spec.ts',
];

/**
 * Runs the isolated specs first, so that the processes of the others are not ended in between, and then the longest
 * ones.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
    const missing = LONGEST.filter((file) => !existsSync(file));
    if (missing.length > 0) throw new Error(`LONGEST lists specs that do not exist: ${missing.join(', ')}`);
    const sorted = await super.sort(specifications);
    return sorted.sort((a, b) => rankOf(a) - rankOf(b));
  }
}

function rankOf({ moduleId, project }: TestSpecification): number {
  if (project.config.isolate) return -1;
  const rank = LONGEST.indexOf(relative(process.cwd(), moduleId));
  return rank < 0 ? LONGEST.length : rank;
}
