/** What happened to the events of one handler beside its calls. */
export class HandlerTally {
  /** Values that were not valid. */
  invalid = 0;
  /** Events that a guard did not let pass. */
  refused = 0;
}
