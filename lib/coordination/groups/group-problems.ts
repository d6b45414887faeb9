import type { EtcdTriggerError } from '../../etcd-trigger.errors.js';
import type { InstanceLog } from '../../etcd-trigger.log.js';
import { withAnySignal } from '../../timing/any-signal.js';
import { BACKOFF, quietPause } from '../../timing/backoff.js';
import { isRefusal } from '../refusal.js';
import { CursorProblem } from './partition-claimer.js';

export interface GroupProblemsOptions {
  readonly group: string;
  readonly log: InstanceLog;
  /** Ends all waits. */
  readonly stopping: AbortSignal;
}

/** A partition, the group as a whole, or its stored configuration, which ends only with another one. */
export type ProblemSubject = number | 'group' | 'config';

/** The reasons why this instance does not take part in a group as it should, each logged once. */
export class GroupProblems {
  readonly #options: GroupProblemsOptions;
  readonly #sentences = new Map<ProblemSubject, string>();
  #waits = new AbortController();

  constructor(options: GroupProblemsOptions) {
    this.#options = options;
  }

  /** One sentence for each reason. */
  get all(): readonly string[] {
    return [...new Set(this.#sentences.values())];
  }

  /** True if the problem is none of single partitions. */
  get isStopped(): boolean {
    return this.#sentences.has('group') || this.#sentences.has('config');
  }

  report(subject: ProblemSubject, sentence: string): void {
    if (this.#sentences.get(subject) === sentence) return;
    if (!this.all.includes(sentence)) this.#options.log.error(sentence);
    this.#sentences.set(subject, sentence);
  }

  /** The subject has no problem any more. */
  clear(subject: ProblemSubject): void {
    this.#sentences.delete(subject);
  }

  /** Reports an error that waiting does not heal, and resolves when the next attempt is due. */
  async pauseAfter(subject: ProblemSubject, error: unknown, failures: number): Promise<void> {
    const { group, stopping } = this.#options;
    if (stopping.aborted) return;
    const isFinal = error instanceof CursorProblem || isRefusal(error);
    if (isFinal) this.report(subject, sentenceOf(group, error));
    const ms = isFinal && failures > 2 ? BACKOFF.refused() : BACKOFF.soon(failures);
    await withAnySignal([stopping, this.#waits.signal], (ended) => quietPause(ms, ended));
  }

  /** Ends the present waits: what was refused may be possible now. */
  retryNow(): void {
    this.#waits.abort();
    this.#waits = new AbortController();
  }
}

const sentenceOf = (group: string, error: CursorProblem | EtcdTriggerError): string =>
  error instanceof CursorProblem ? error.message : `the group "${group}" cannot go on: ${error.message}`;
