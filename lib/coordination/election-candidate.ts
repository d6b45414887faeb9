import { AsyncLocalStorage } from 'node:async_hooks';
import { isDeepStrictEqual } from 'node:util';
import { distinctUntilChanged, type Observable, ReplaySubject } from 'rxjs';
import type { CandidateActivity } from '../backend/cluster-backend.js';
import type { Fence } from '../backend/fence.js';
import { KeyRange } from '../backend/key-range.js';
import { keyBytesOf } from '../backend/key-record.js';
import { type LeaseClock, pauseOn } from '../backend/lease-clock.js';
import { checkKnown, checkMilliseconds, MAX_TIMER_MS } from '../option-checks.js';
import { withAnySignal } from '../timing/any-signal.js';
import { keepingAlive } from '../timing/keeping-alive.js';
import { describeFailure } from '../watch/delivery/listener-failure.js';
import { aborted, isEndedBy } from './aborted.js';
import type { Claim } from './claim.js';
import { ClaimKeeper, type CoordinationContext } from './claim-keeper.js';
import type { Election, ElectionLeader, ElectionState } from './election.js';
import { type InstanceIdentity, leaderOf, type Members, ownerValue } from './members.js';
import type { Participant } from './participant.js';

/** A method that is called with each term. */
export interface TermListener {
  /** `Class.method`, for logs. */
  readonly name: string;
  readonly call: (term: Fence) => unknown;
}

export interface ElectionCandidateOptions {
  readonly name: string;
  readonly rawKey: string;
  readonly instance: InstanceIdentity;
  readonly members: Members;
  readonly clock: LeaseClock;
  readonly observer: ElectionObserver | undefined;
}

/** Observes elections for metrics. */
export interface ElectionObserver {
  /** This instance was elected. `run` resolves at the end of the term, to the error of a method that has failed. */
  term(election: string, token: number, run: () => Promise<unknown>): Promise<unknown>;
  /** An `@OnElected` method has rejected. */
  termFailed(election: string, error: unknown): void;
}

/** This instance's part in one election. */
export class ElectionCandidate implements Election, Participant, CandidateActivity {
  readonly changes$: Observable<ElectionState>;
  readonly range: KeyRange;
  readonly #options: ElectionCandidateOptions;
  readonly #context: CoordinationContext;
  readonly #keeper: ClaimKeeper;
  readonly #states = new ReplaySubject<ElectionState>(1);
  readonly #runs: TermListener[] = [];
  readonly #losses: TermListener[] = [];
  /** The claim whose `@OnElected` method is the current caller. */
  readonly #caller = new AsyncLocalStorage<Claim>();
  readonly #stop = new AbortController();
  #released: Promise<void> | undefined;
  #standby: { readonly ended: Promise<unknown>; readonly end: () => void } | undefined;

  constructor(context: CoordinationContext, options: ElectionCandidateOptions) {
    const { name, rawKey, instance, members } = options;
    this.#context = context;
    this.#options = options;
    this.range = KeyRange.of({ key: keyBytesOf(rawKey) });
    const value = ownerValue(instance);
    this.#keeper = new ClaimKeeper(context, {
      kind: 'election',
      name,
      rawKey,
      value: () => value,
      delayMs: (previous) => members.delayMs('elections', name, previous),
      hold: () => this.#hold(),
      onClaimed: (claim) => this.#lead(claim),
    });
    this.#keeper.onChange(() => {
      this.#changed();
    });
    this.changes$ = this.#states.pipe(distinctUntilChanged<ElectionState>(isDeepStrictEqual));
    members.announce('elections', name);
  }

  get name(): string {
    return this.#options.name;
  }

  /** The claim of the current term, until it has been released. */
  get claim(): Claim | undefined {
    return this.#keeper.claim;
  }

  /** The reason why etcd refuses the candidacy, as one sentence. */
  get problem(): string | undefined {
    return this.#keeper.problem;
  }

  get isLeader(): boolean {
    return this.term?.held === true;
  }

  get term(): Fence | undefined {
    const fence = this.claim?.fence;
    return fence?.signal.aborted === false ? fence : undefined;
  }

  get leader(): ElectionLeader | undefined {
    const { owner } = this.#keeper;
    const { term } = this;
    if (!term || owner?.createRevision === term.token) return owner && leaderOf(owner);
    // The watch has not reported this instance's own key yet.
    const { id, pod } = this.#options.instance;
    return { instance: id, pod, token: term.token };
  }

  /** Called with each term from now on. The next leader is let in when it has ended. */
  onElected(listener: TermListener): void {
    this.#runs.push(listener);
  }

  /** Called once at the end of each term, before the next leader is let in. */
  onLeadershipLost(listener: TermListener): void {
    this.#losses.push(listener);
  }

  async resign(options: { readonly standbyMs?: number } = {}): Promise<void> {
    checkKnown(options, { standbyMs: true }, { owner: ` of resign() from "${this.name}"` });
    const { standbyMs } = options;
    checkMilliseconds(`resign from "${this.name}": standbyMs`, standbyMs, 0);
    const { claim } = this;
    if (!claim || claim.fence.signal.aborted) return;
    this.#resign(claim, standbyMs);
    if (this.#released && this.#caller.getStore() !== claim) await keepingAlive(this.#released);
  }

  standBy(): void {
    const { claim } = this;
    if (claim?.fence.signal.aborted === false) this.#resign(claim, MAX_TIMER_MS);
    else if (!this.#standby) this.#standByFor(MAX_TIMER_MS);
  }

  endStandby(): void {
    this.#standby?.end();
  }

  start(): void {
    this.#keeper.start();
  }

  stop(): void {
    this.#stop.abort();
    this.#keeper.stop();
  }

  drain(): Promise<void> {
    return this.#keeper.drain();
  }

  get busyKeys(): readonly string[] {
    return this.#keeper.busyKeys;
  }

  close(): void {
    this.stop();
    this.#keeper.close();
    this.#states.complete();
  }

  async #lead(claim: Claim): Promise<void> {
    const { observer } = this.#options;
    this.#released = this.#keeper.whenReleased(claim);
    const run = (): Promise<unknown> => this.#run(claim);
    await (observer ? observer.term(this.name, claim.fence.token, run) : run());
  }

  /** Resolves when the term and all calls have ended, to the error of a method that has failed. */
  async #run(claim: Claim): Promise<unknown> {
    const { fence } = claim;
    const { log } = this.#context;
    log.info(`this instance leads "${this.name}" (token ${fence.token})`);
    this.#changed();
    const runs = this.#caller.run(claim, () => this.#runs.map((run) => this.#call(run, claim)));
    await aborted(fence.signal);
    log.info(`this instance no longer leads "${this.name}" (token ${fence.token})`);
    this.#changed();
    const losses = this.#losses.map((loss) => this.#report(loss, fence));
    const [errors] = await Promise.all([Promise.all(runs), Promise.all(losses)]);
    return errors.find((error) => error !== undefined);
  }

  /** Resolves to the error if the method has failed. */
  async #call({ name, call }: TermListener, claim: Claim): Promise<unknown> {
    const { fence } = claim;
    try {
      await call(fence);
      return undefined;
    } catch (error) {
      // A method may end by rejecting with the reason of the abort.
      if (isEndedBy(fence.signal, error)) return undefined;
      const consequence = fence.signal.aborted ? '' : '; this instance resigns';
      this.#context.log.error(`${name} failed as leader of "${this.name}": ${describeFailure(error)}${consequence}`);
      this.#options.observer?.termFailed(this.name, error);
      if (!fence.signal.aborted) this.#resign(claim, undefined);
      return error ?? new Error();
    }
  }

  async #report({ name, call }: TermListener, term: Fence): Promise<void> {
    try {
      await call(term);
    } catch (error) {
      this.#context.log.error(`${name} failed after the term in "${this.name}": ${describeFailure(error)}`);
    }
  }

  #resign(claim: Claim, standbyMs: number | undefined): void {
    this.#standByFor(standbyMs ?? claim.leaseTtlMs);
    claim.abort();
  }

  #standByFor(limitMs: number): void {
    const end = new AbortController();
    const ended = withAnySignal([end.signal, this.#stop.signal], (signal) =>
      pauseOn(this.#options.clock, limitMs, signal),
    );
    const standby = {
      ended,
      end: () => {
        end.abort();
      },
    };
    this.#standby = standby;
    void ended.then(() => {
      if (this.#standby === standby) this.#standby = undefined;
    });
  }

  #hold(): Promise<unknown> | undefined {
    if (this.#standby) return this.#standby.ended;
    const { members } = this.#options;
    return members.isListed ? undefined : members.whenListed(this.#stop.signal);
  }

  #changed(): void {
    const { leader } = this;
    if (leader && leader.instance !== this.#options.instance.id) this.#standby?.end();
    this.#states.next({ isLeader: this.isLeader, leader });
  }
}
