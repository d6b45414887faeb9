/** Exit code of a run that found a violation. */
export const VIOLATION_FOUND = 3;
/** Exit code of a run that could not be completed. It says nothing about the library. */
export const RUN_FAILED = 4;

/** Details that are needed to understand and reproduce a failure. */
export interface LabFindings {
  readonly version: string;
  readonly seed: number;
  readonly schedule: readonly string[];
  /** Empty if the run itself failed; then `cause` has the reason. */
  readonly violations: readonly string[];
}

/** A run found violations, or could not be completed. */
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
