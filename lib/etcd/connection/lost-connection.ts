import { pause } from '../../timing/backoff.js';
import { within } from '../../timing/time-limit.js';

/** The limit is counted in so many parts. When this process is busy for longer than a part, that counts as one, and not as the silence of others. */
const PARTS = 10;
/** After so many the question is asked: most of what takes time is over by then. */
const QUIET_PARTS = 3;

interface Lookout<Other> {
  /** Asks over the connection itself: whether what came back is a sign of life. Never rejects. */
  readonly ask: () => Promise<boolean>;
  /** Looks for who answers over another connection. Never rejects. */
  readonly elsewhere: () => Promise<Other | undefined>;
}

/**
 * Resolves when a connection is lost: it has been silent for the limit, and is still, while another one is answered.
 *
 * Silence alone is no reason to leave it. Where everybody is silent nothing is gained by that, and a member that is busy beyond measure is made busier: what was
 * begun there is begun again.
 * @returns who answers
 * @throws the reason of an abort
 */
export async function connectionLoss<Other>(
  { ask, elsewhere }: Lookout<Other>,
  limitMs: number,
  signal: AbortSignal,
): Promise<Other> {
  let quiet = 0;
  let isAsked = false;
  let other: Other | undefined;
  const search = async (): Promise<void> => {
    const found = await elsewhere();
    if (quiet >= PARTS) other ??= found;
  };
  while (other === undefined) {
    await pause(limitMs / PARTS, signal);
    signal.throwIfAborted();
    quiet += 1;
    if (quiet >= QUIET_PARTS && !isAsked) {
      isAsked = true;
      void ask().then((isAlive) => {
        isAsked = false;
        if (!isAlive) return;
        quiet = 0;
        other = undefined;
      });
    }
    // The next search does not wait for one whose connections were lost, too, when they were made.
    if (quiet >= PARTS) await within(search(), limitMs / 2);
    await nextTurn();
  }
  return other;
}

/** What has arrived while this process was busy is read before. */
const nextTurn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });
