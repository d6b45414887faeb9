/** Exit code: something is wrong with what was tried. */
export const FOUND = 3;
/** Exit code: the run could not be made, which says nothing about what was tried. */
export const NO_RESULT = 4;

/** What one needs to see what went wrong, and to see it again. */
export interface LabFindings {
  readonly version: string;
  readonly seed: number;
  readonly schedule: readonly string[];
  /** None: the run itself came to an end, for the reason that is the cause. */
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
        ...(violations.length > 0 ? violations : [String(cause)]).map((line) => `  ${line}`),
        'after this schedule:',
        ...schedule.map((round, index) => `  ${index + 1}. ${round}`),
      ].join('\n'),
      { cause },
    );
    this.findings = findings;
  }
}
