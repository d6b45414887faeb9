import type { ConfigViolation } from '../etcd-trigger.errors.js';

/** One line for each violation: path and constraints, never values. */
export const violationLines = (violations: readonly ConfigViolation[]): string[] =>
  violations.map(({ path, constraints }) => `${path === '' ? '(document)' : path}: ${constraints.join(', ')}`);

export const describeViolations = (violations: readonly ConfigViolation[]): string =>
  violationLines(violations).join('; ');
