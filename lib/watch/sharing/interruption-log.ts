import type { EtcdTriggerError } from '../../etcd-trigger.errors.js';
import type { InstanceLog } from '../../etcd-trigger.log.js';
import type { KeyRange } from '../../backend/key-range.js';
import { isRefusal } from '../../backend/list-watcher.js';

/** An interruption that ends sooner is one log line, not two. */
const REPORT_AFTER_MS = 1_000;

interface Interruption {
  readonly since: number;
  readonly reason: EtcdTriggerError;
  readonly ranges: Set<KeyRange>;
  isReported: boolean;
}

/**
 * Logs the interruptions of all targets of a cluster together: one line that counts the targets, and one when all of
 * them are followed again. A refused target concerns nobody else and has lines of its own.
 */
export class InterruptionLog {
  readonly #log: InstanceLog;
  readonly #refused = new Set<KeyRange>();
  readonly #open = new Set<KeyRange>();
  #interruption: Interruption | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(log: InstanceLog) {
    this.#log = log;
  }

  /** A target that was followed is followed no longer. */
  interrupted(range: KeyRange, reason: EtcdTriggerError): void {
    if (isRefusal(reason)) {
      this.#refused.add(range);
      this.#log.warn(`${range.toString()}: interrupted, retrying (${reason.message})`);
      return;
    }
    this.#interruption ??= { since: performance.now(), reason, ranges: new Set(), isReported: false };
    this.#interruption.ranges.add(range);
    this.#open.add(range);
    this.#timer ??= setTimeout(() => {
      this.#report();
    }, REPORT_AFTER_MS).unref();
  }

  /** A target that was interrupted is followed again. */
  following(range: KeyRange): void {
    if (this.#refused.delete(range)) this.#log.info(`${range.toString()}: following again`);
    else if (this.#open.delete(range)) this.#endIfFollowing();
  }

  /** A target has no listeners any more. */
  closed(range: KeyRange): void {
    this.#refused.delete(range);
    this.#interruption?.ranges.delete(range);
    if (this.#open.delete(range)) this.#endIfFollowing();
  }

  #report(): void {
    const interruption = this.#interruption;
    if (!interruption) return;
    interruption.isReported = true;
    this.#log.warn(`${subjectOf(interruption)}: interrupted, retrying (${interruption.reason.message})`);
  }

  #endIfFollowing(): void {
    const interruption = this.#interruption;
    if (this.#open.size > 0 || !interruption) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#interruption = undefined;
    if (interruption.ranges.size === 0) return;
    const ms = Math.round(performance.now() - interruption.since);
    const subject = subjectOf(interruption);
    if (interruption.isReported) this.#log.info(`${subject}: following again after ${ms} ms`);
    else
      this.#log.warn(`${subject}: following again after an interruption of ${ms} ms (${interruption.reason.message})`);
  }
}

function subjectOf({ ranges }: Interruption): string {
  const [first] = ranges;
  return ranges.size === 1 && first ? first.toString() : `${ranges.size} targets`;
}
