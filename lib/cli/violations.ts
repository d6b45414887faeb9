import type { ConfigViolation } from '../etcd-trigger.errors.js';
import { originText } from '../config-origin.js';

/** One line for each violation: path, origin in a configuration with layers, and constraints, never values. */
export const violationLines = (violations: readonly ConfigViolation[]): string[] =>
  violations.map(
    ({ path, constraints, origin }) => `${path || '(document)'}${originText(origin)}: ${constraints.join(', ')}`,
  );

export const describeViolations = (violations: readonly ConfigViolation[]): string =>
  violationLines(violations).join('; ');
