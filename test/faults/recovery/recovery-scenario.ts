/** One kind of fault, and how soon a watch must follow again. */
export interface RecoveryScenario {
  /** As the table calls it. */
  readonly fault: string;
  /** From when until when. */
  readonly measured: string;
  readonly limitMs: number;
  /** Which figure is held against the limit. */
  readonly statistic: 'p99' | 'max';
  /** In the full table. */
  readonly rounds: number;
  /** Followers that go through their rounds side by side, where a fault mostly waits. */
  readonly followers: number;
  /** A cluster for all of them. */
  open(): Promise<RecoveryPlace>;
}

export interface RecoveryPlace extends AsyncDisposable {
  /** Another follower, to which the fault can happen again and again. */
  follow(): Promise<RecoveryRounds>;
}

export interface RecoveryRounds extends AsyncDisposable {
  /**
   * Lets the fault happen once; milliseconds until the watch follows again. Rejects when it does not, or when something
   * is missed.
   */
  round(): Promise<number>;
}

/** The times of so many rounds. */
export async function rehearse(
  scenario: RecoveryScenario,
  { rounds = scenario.rounds, followers = scenario.followers } = {},
): Promise<number[]> {
  await using place = await scenario.open();
  const times: number[] = [];
  let begun = 0;
  await Promise.all(
    Array.from({ length: followers }, async () => {
      await using follower = await place.follow();
      while (begun < rounds) {
        begun += 1;
        times.push(await follower.round());
      }
    }),
  );
  return times;
}
