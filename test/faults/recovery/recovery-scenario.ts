/** A kind of fault and the time within which a watch must follow again. */
export interface RecoveryScenario {
  /** Name in the table. */
  readonly fault: string;
  /** Start and end of the measured time. */
  readonly measured: string;
  readonly limitMs: number;
  /** Statistic that must not exceed the limit. */
  readonly statistic: 'p99' | 'max';
  /** Number of rounds for the table. */
  readonly rounds: number;
  /** Number of followers that run their rounds concurrently, for faults that mostly wait. */
  readonly followers: number;
  /** Starts a cluster for all followers. */
  open(): Promise<RecoveryPlace>;
}

export interface RecoveryPlace extends AsyncDisposable {
  /** Adds a follower for repeated rounds. */
  follow(): Promise<RecoveryRounds>;
}

export interface RecoveryRounds extends AsyncDisposable {
  /**
   * Injects the fault once. Resolves with the recovery time in ms; rejects if the watch does not recover or misses
   * events.
   */
  round(): Promise<number>;
}

/** Runs the rounds and returns their times. */
export async function measureRounds(
  scenario: RecoveryScenario,
  { rounds = scenario.rounds, followers = scenario.followers } = {},
): Promise<number[]> {
  await using place = await scenario.open();
  const times: number[] = [];
  let startedRounds = 0;
  await Promise.all(
    Array.from({ length: followers }, async () => {
      await using follower = await place.follow();
      while (startedRounds < rounds) {
        startedRounds += 1;
        times.push(await follower.round());
      }
    }),
  );
  return times;
}
