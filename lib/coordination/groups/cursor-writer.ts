import { keyText } from '../../backend/key-record.js';
import type { KeyRecord } from '../../backend/key-record.js';
import type { Condition, KeyValueStore, Operation, TransactionResult } from '../../backend/key-value-store.js';
import { ConnectionError, UnknownOutcomeError } from '../../etcd-trigger.errors.js';
import { quoted } from '../../foreign/foreign-text.js';
import { abortable } from '../../timing/abortable.js';
import { BACKOFF, quietPause } from '../../timing/backoff.js';
import { Deferred } from '../../timing/deferred.js';
import type { Claim } from '../claim.js';
import { type CursorStamp, type GroupCursor, parseCursor, serializeCursor } from './group-cursor.js';

/** A cursor to store, perhaps with the conditions and operations of the application in the same transaction. */
export interface PlannedCursor {
  readonly cursor: GroupCursor;
  readonly conditions?: readonly Condition[];
  readonly operations?: readonly Operation[];
}

type Applied = TransactionResult & { readonly applied: true };
type Refused = TransactionResult & { readonly applied: false };

/**
 * - `applied`: the cursor is stored.
 * - `refused`: a condition of the application does not hold. Nothing was written and nothing will be.
 * - `lost`: another instance may own the partition. Nothing was written and nothing will be.
 * - `unknown`: as `lost`, but the answer was lost before, and it may have been written.
 * - `changed`: somebody else has written or deleted the cursor. Nothing was written.
 */
export type CursorOutcome =
  | { readonly kind: 'applied'; readonly result: Applied }
  | { readonly kind: 'refused'; readonly result: Refused }
  | { readonly kind: 'lost' }
  | { readonly kind: 'unknown'; readonly error: UnknownOutcomeError }
  | { readonly kind: 'changed'; readonly record: KeyRecord | undefined };

export interface CursorWriterOptions {
  readonly rawKey: string;
  readonly claim: Claim;
  readonly cursor: GroupCursor;
  /** Revision of the key that stores the cursor. */
  readonly revision: number;
  readonly keyValue: KeyValueStore;
  /** Identifies each write. */
  readonly stamp: () => CursorStamp;
  /** Ends all retries. */
  readonly closing: AbortSignal;
  /** Called with the error of each failed request, and with `undefined` after any other. */
  readonly onAnswer: (error: unknown) => void;
}

/** After the loss of the claim, an unknown outcome is settled with so many requests. */
const ATTEMPTS_AFTER_LOSS = 5;

/**
 * Writes the cursor of one partition, one write at a time. Each write requires the claim and the revision of the cursor,
 * so an attempt that is applied late changes nothing after another one. Lost answers are settled by reading who has
 * written the cursor.
 */
export class CursorWriter {
  readonly #options: CursorWriterOptions;
  #cursor: GroupCursor;
  #revision: number;
  #last: Promise<unknown> = Promise.resolve();
  #writers = 0;
  /** Writes whose answers were lost and that may be applied late. */
  readonly #uncertain = new Set<string>();
  /** The attempts that were found applied. */
  readonly #adopted = new Set<string>();

  constructor(options: CursorWriterOptions) {
    this.#options = options;
    this.#cursor = options.cursor;
    this.#revision = options.revision;
  }

  /** The cursor as it is stored. */
  get cursor(): GroupCursor {
    return this.#cursor;
  }

  /** Revision of the key that stores the cursor. */
  get revision(): number {
    return this.#revision;
  }

  get isBusy(): boolean {
    return this.#writers > 0;
  }

  /** The conditions of every write. */
  get conditions(): readonly Condition[] {
    const { claim, rawKey } = this.#options;
    return [claim.condition, { rawKey, revision: this.#revision }];
  }

  #isClosing(): boolean {
    return this.#options.closing.aborted;
  }

  /** Runs alone, after the earlier writes of this partition. */
  async exclusive<T>(run: () => Promise<T>): Promise<T> {
    const before = this.#last;
    const turn = new Deferred();
    this.#last = turn.promise;
    this.#writers += 1;
    try {
      await before;
      return await run();
    } finally {
      this.#writers -= 1;
      turn.resolve();
    }
  }

  /**
   * Stores what `plan` returns when the earlier writes have ended. `onOutcome` is called before the next write is planned.
   * @throws EtcdTriggerError if etcd refuses the request; nothing was written
   */
  write<Planned extends PlannedCursor>(
    plan: () => Planned,
    onOutcome: (outcome: CursorOutcome, planned: Planned) => void = () => undefined,
  ): Promise<CursorOutcome> {
    return this.exclusive(async () => {
      const planned = plan();
      const outcome = await this.send(planned);
      onOutcome(outcome, planned);
      return outcome;
    });
  }

  /** To be called within `exclusive`. */
  async send(planned: PlannedCursor): Promise<CursorOutcome> {
    const { keyValue, claim, closing, onAnswer } = this.#options;
    const stamp = this.#options.stamp();
    let lost: UnknownOutcomeError | undefined;
    let left = ATTEMPTS_AFTER_LOSS;
    for (let failures = 0; ; failures += 1) {
      if (this.#isClosing() || (claim.isLost && (left -= 1) < 0)) return outcomeOfLoss(lost);
      try {
        const result = await abortable(keyValue.commit(this.#transaction(planned, stamp)), closing);
        onAnswer(undefined);
        if (result.applied) return await this.#applied(planned.cursor, result);
        const outcome = await this.#refused(planned, stamp, result, lost);
        if (outcome) return outcome;
      } catch (error) {
        if (this.#isClosing()) return outcomeOfLoss(lost);
        onAnswer(error);
        if (error instanceof UnknownOutcomeError) {
          lost = error;
          this.#uncertain.add(stamp.by);
        } else if (!(error instanceof ConnectionError)) {
          if (lost) return { kind: 'unknown', error: lost };
          throw error;
        }
        await quietPause(BACKOFF.soon(failures), closing);
      }
    }
  }

  /** The part of a transaction that stores the cursor. */
  operation(cursor: GroupCursor, stamp: CursorStamp): Operation {
    return { type: 'put', rawKey: this.#options.rawKey, value: serializeCursor(cursor, stamp) };
  }

  /** A transaction of several partitions has stored the cursor. */
  stored(cursor: GroupCursor, revision: number): void {
    this.#cursor = cursor;
    this.#revision = revision;
    this.#uncertain.clear();
  }

  /** The answer of a transaction of several partitions was lost. */
  mayBeStored({ by }: CursorStamp): void {
    this.#uncertain.add(by);
  }

  #transaction({ cursor, conditions = [], operations = [] }: PlannedCursor, stamp: CursorStamp) {
    const name = keyText(this.#options.rawKey);
    return {
      what: `store the cursor ${quoted(name)}`,
      key: name,
      conditions: [...conditions, ...this.conditions],
      operations: [...operations, this.operation(cursor, stamp)],
    };
  }

  async #applied(cursor: GroupCursor, result: Applied): Promise<CursorOutcome> {
    if (await this.restored(cursor, result.revision)) return { kind: 'changed', record: undefined };
    this.stored(cursor, result.revision);
    return { kind: 'applied', result };
  }

  /**
   * Returns true if a cursor was stored at a revision that it claims to have handled already: the store was restored, and
   * had the claim and the cursor as they are. Then the former cursor is stored again.
   */
  async restored(cursor: GroupCursor, revision: number): Promise<boolean> {
    if (revision > cursor.r) return false;
    this.#revision = revision;
    if (this.#cursor.r < revision) await this.send({ cursor: this.#cursor });
    return true;
  }

  /** Returns `undefined` if the write is to be sent again. */
  async #refused(
    planned: PlannedCursor,
    stamp: CursorStamp,
    result: Refused,
    lost: UnknownOutcomeError | undefined,
  ): Promise<CursorOutcome | undefined> {
    const { claim } = this.#options;
    const [owner, record] = result.current.slice(-2);
    const found = record && parseCursor(record.value);
    const revision = record?.revision ?? 0;
    if (found?.by === stamp.by) return this.#applied(planned.cursor, { applied: true, revision, deleted: [] });
    if (!claim.matches(owner)) {
      claim.lose();
      return revision === this.#revision ? { kind: 'lost' } : outcomeOfLoss(lost);
    }
    if (revision !== this.#revision) {
      if (!found || !this.#uncertain.has(found.by)) return { kind: 'changed', record };
      // An earlier write, whose answer was lost, was applied.
      this.#adopted.add(found.by);
      this.stored(found.cursor, revision);
      return undefined;
    }
    return lost ? this.#prevented(stamp, result, lost) : { kind: 'refused', result };
  }

  /**
   * Makes sure that an attempt whose answer was lost is not applied after the application has been told that it is
   * refused: the cursor is stored again, unchanged, which gives it another revision.
   */
  async #prevented(stamp: CursorStamp, result: Refused, lost: UnknownOutcomeError): Promise<CursorOutcome> {
    this.#adopted.clear();
    // Read for each attempt: the first one may find that the other was applied.
    const current = (): GroupCursor => this.#cursor;
    const outcome = await this.send({
      get cursor() {
        return current();
      },
    });
    if (outcome.kind === 'changed') return outcome;
    if (outcome.kind !== 'applied') return { kind: 'unknown', error: lost };
    if (!this.#adopted.has(stamp.by)) return { kind: 'refused', result };
    return { kind: 'applied', result: { applied: true, revision: outcome.result.revision, deleted: [] } };
  }
}

const outcomeOfLoss = (lost: UnknownOutcomeError | undefined): CursorOutcome =>
  lost ? { kind: 'unknown', error: lost } : { kind: 'lost' };
