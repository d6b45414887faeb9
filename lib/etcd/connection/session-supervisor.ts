import { type Backoff, BACKOFF, pause } from '../../timing/backoff.js';
import { TransportError } from '../transport/transport-error.js';
import { type Dial, dialRound } from './dial-round.js';
import type { KnownMembers } from './member-directory.js';
import type { MemberSession } from './member-session.js';
import { Suspicion } from './suspicion.js';
import { onAbort } from '../../timing/on-abort.js';

/** A session that lived this long counts as a success: the backoff starts over. */
const STABLE_MS = 1_000;
/** Time in which a silent session may still answer once another one is ready: after a stall both do. */
const GRACE_MS = 250;

export interface SessionSupervisorOptions {
  readonly members: () => Promise<KnownMembers>;
  readonly dial: Dial;
  /** Called in every round in which the attempt with each member has failed. */
  readonly onRoundFailed: (failures: readonly unknown[]) => void;
  /** @default the backoff of watches */
  readonly backoff?: Backoff;
}

interface Waiter {
  /** Waits through failed rounds. */
  readonly isPatient: boolean;
  readonly resolve: (session: MemberSession) => void;
  readonly reject: (failures: readonly unknown[]) => void;
}

/** No session: every member was tried once. */
export class NoSessionError extends Error {
  constructor(readonly failures: readonly unknown[]) {
    super('no session with any member');
  }
}

/**
 * Keeps one session with the cluster while somebody needs one, and decides alone which member is used, when another one
 * is tried, and how long to wait. All rounds of attempts run one after the other, so at most one attempt a member is
 * under way, however many calls and watches wait.
 */
export class SessionSupervisor {
  readonly #options: SessionSupervisorOptions;
  readonly #backoff: Backoff;
  readonly #closing = new AbortController();
  readonly #waiters = new Set<Waiter>();
  #current: MemberSession | undefined;
  /** The current session should be replaced by one with another member. */
  #isLeaving = false;
  #suspicion: Suspicion | undefined;
  /** Ends the round of attempts when it is no longer needed. */
  #round: AbortController | undefined;
  #isSeeking = false;
  /** Failed rounds and short-lived sessions in a row. */
  #attempt = 0;
  #notBefore = 0;
  #roundBegan = 0;
  #hasFailed = false;

  constructor(options: SessionSupervisorOptions) {
    this.#options = options;
    this.#backoff = options.backoff ?? BACKOFF;
  }

  /** The session in use. */
  get current(): MemberSession | undefined {
    return this.#current?.isUsable === true ? this.#current : undefined;
  }

  /** True after a round has failed without a session in use, until one is ready. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /**
   * Resolves to the session in use, or to the next one.
   * @throws NoSessionError when a round fails, unless `isPatient`; the reason of the signal; a TransportError when closed
   */
  session({
    isPatient,
    signal,
  }: {
    readonly isPatient: boolean;
    readonly signal: AbortSignal;
  }): Promise<MemberSession> {
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    if (this.#closing.signal.aborted) return Promise.reject(closedError());
    if (this.current) return Promise.resolve(this.current);
    return new Promise((resolve, reject) => {
      const end = (): void => {
        this.#waiters.delete(waiter);
        stopListening();
      };
      const waiter: Waiter = {
        isPatient,
        resolve: (session) => {
          end();
          resolve(session);
        },
        reject: (failures) => {
          end();
          reject(this.#closing.signal.aborted ? closedError() : new NoSessionError(failures));
        },
      };
      const abort = (): void => {
        end();
        reject(signal.reason as Error);
        this.#endRoundIfUnneeded();
      };
      const stopListening = onAbort(signal, abort);
      this.#waiters.add(waiter);
      void this.#seek();
    });
  }

  /**
   * A request on the session had no answer: pings it, and opens a second session beside it while it stays silent.
   * @param silentMs time without a single byte so far
   */
  suspect(session: MemberSession, silentMs: number): void {
    if (session !== this.#current || this.#suspicion) return;
    void session.grpc.ping();
    this.#suspicion = new Suspicion(session.grpc, silentMs, {
      onLate: () => {
        void this.#seek();
      },
      onCleared: () => {
        this.#suspicion = undefined;
        this.#endRoundIfUnneeded();
      },
    });
  }

  /** Moves to another member, if there is one that can be reached. The session stays in use until then. */
  leave(session: MemberSession): void {
    if (session !== this.#current || this.#isLeaving) return;
    session.member.avoid();
    this.#isLeaving = true;
    void this.#seek();
  }

  /** The member finishes open streams and accepts no new ones. */
  draining(session: MemberSession): void {
    if (session !== this.#current) return;
    this.#isLeaving = true;
    void this.#seek();
  }

  /** Ends the session, and what waits for one. */
  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#round?.abort();
    this.#suspicion?.end();
    for (const waiter of [...this.#waiters]) waiter.reject([]);
    this.#current?.close();
    this.#current = undefined;
  }

  get #needsSession(): boolean {
    if (this.#closing.signal.aborted) return false;
    return this.current
      ? this.#isLeaving || this.#suspicion?.isLate === true
      : this.#waiters.size > 0 || this.#isLeaving;
  }

  #endRoundIfUnneeded(): void {
    if (!this.#needsSession) this.#round?.abort();
  }

  /** One round after the other, until a session is ready or none is needed. */
  async #seek(): Promise<void> {
    if (this.#isSeeking) return;
    this.#isSeeking = true;
    while (this.#needsSession) {
      const round = new AbortController();
      this.#round = round;
      await pauseUntil(this.#notBefore, round.signal);
      if (round.signal.aborted) continue;
      this.#roundBegan = performance.now();
      try {
        await this.#tryMembers(round.signal);
      } catch (error) {
        this.#failed([error]);
      }
    }
    this.#round = undefined;
    this.#isSeeking = false;
  }

  async #tryMembers(signal: AbortSignal): Promise<void> {
    const known = await this.#options.members();
    const candidates = this.#candidates(known);
    if (candidates.length === 0 && this.#current) {
      this.#isLeaving = false;
      return;
    }
    const result = await dialRound(candidates, this.#options.dial, signal);
    if ('session' in result) {
      await this.#adopt(result.session);
    } else if (!signal.aborted) {
      for (const member of candidates) member.avoid();
      this.#failed([...result.failures, ...known.failures]);
    }
  }

  /** A session that is left, or silent, is replaced by one with another member where there is one. */
  #candidates({ members }: KnownMembers): KnownMembers['members'] {
    const current = this.#current;
    if (!current) return members;
    const others = members.filter((member) => !member.isSameAs(current.member));
    return others.length > 0 || (this.#isLeaving && current.isUsable) ? others : members;
  }

  #failed(failures: readonly unknown[]): void {
    this.#wait(this.#roundBegan);
    if (this.current) this.#isLeaving = false;
    else this.#hasFailed = true;
    for (const waiter of [...this.#waiters]) if (!waiter.isPatient) waiter.reject(failures);
    this.#options.onRoundFailed(failures);
  }

  async #adopt(session: MemberSession): Promise<void> {
    if (this.#suspicion && !this.#isLeaving) await this.#suspicion.graceOf(GRACE_MS);
    // A session that was lost meanwhile is replaced, even before the first waiter comes.
    const isNeeded = this.#needsSession || (!this.current && !this.#closing.signal.aborted);
    if (!isNeeded || !session.isUsable) {
      session.close();
      return;
    }
    const before = this.#current;
    this.#suspicion?.end();
    this.#suspicion = undefined;
    this.#isLeaving = false;
    this.#current = session;
    this.#hasFailed = false;
    void session.grpc.closed.then(() => {
      this.#lost(session);
    });
    for (const waiter of [...this.#waiters]) waiter.resolve(session);
    before?.close();
  }

  #lost(session: MemberSession): void {
    if (session !== this.#current) return;
    this.#current = undefined;
    this.#isLeaving = false;
    this.#suspicion?.end();
    this.#suspicion = undefined;
    session.member.avoid();
    if (performance.now() - session.openedAt >= STABLE_MS) {
      this.#attempt = 0;
      this.#notBefore = 0;
    } else {
      // A short-lived session that was of use neither resets the backoff nor raises it.
      if (session.hasAnswered) this.#attempt = Math.max(0, this.#attempt - 2);
      this.#wait(performance.now());
    }
    if (this.#needsSession) void this.#seek();
  }

  /** The pause counts from the beginning of a round: one that waited for silent members is followed by the next at once. */
  #wait(since: number): void {
    this.#notBefore = since + this.#backoff.soon(this.#attempt);
    this.#attempt += 1;
  }
}

const pauseUntil = (time: number, signal: AbortSignal): Promise<void> => {
  const ms = time - performance.now();
  return ms > 0 ? pause(ms, signal) : Promise.resolve();
};

const closedError = (): TransportError => new TransportError('closed', 'the connection was closed');
