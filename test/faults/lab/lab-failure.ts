/** What one needs to see what went wrong, and to see it again. */
export interface LabFindings {
  readonly version: string;
  readonly seed: number;
  readonly schedule: readonly string[];
  readonly violations: readonly string[];
}

/** A run found something wrong. */
export class LabFailure extends Error {
  readonly findings: LabFindings;

  constructor(findings: LabFindings, cause?: unknown) {
    const { version, seed, schedule, violations } = findings;
    super(
      [
        `on etcd ${version} with seed ${seed}:`,
        ...violations.map((violation) => `  ${violation}`),
        'after this schedule:',
        ...schedule.map((round, index) => `  ${index + 1}. ${round}`),
      ].join('\n'),
      { cause },
    );
    this.findings = findings;
  }
}
