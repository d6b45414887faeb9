/** A part of a joint state: one key, or all keys of a definition. Its definition follows etcd on its own. */
export interface JointPart<S> {
  /** Identifies the definition. */
  readonly source: object;
  /** Returns the current state; the same object until it changes. */
  readonly read: () => S;
  /** True if the part may skip states, as one of several layers does, which are read together after changes. */
  readonly maySkip: boolean;
  /** True if the current value in etcd is refused, so that the state is older. */
  readonly isRefused: () => boolean;
  /** The revision since which the current state is known to be unchanged. */
  readonly since: () => number;
  /** The revision up to which the definition has applied all changes. */
  readonly appliedTo: () => number;
  /** Changes when the store of etcd was restored or replaced: revisions of another history cannot be compared. */
  readonly history: () => number;
  /**
   * Compares the current state with etcd. Resolves with the revision at which both are equal, if they are. `target` is
   * the revision that is needed.
   */
  readonly compare: (signal: AbortSignal, target: number) => Promise<number | undefined>;
}

/** A state and the revisions at which it is known to be the state in etcd. */
export interface PartVersion<S> {
  readonly from: number;
  /** `Infinity` for the newest version: it is known up to `PartHistory.knownTo`. */
  readonly to: number;
  readonly state: S;
  readonly isRefused: boolean;
}

/** The versions of one part that a joint state may still need, oldest first. */
export class PartHistory<S> {
  #versions: readonly PartVersion<S>[];
  /** The revision that a comparison with etcd has proven. */
  #provenTo = -1;
  /** The newest known revision before the update that is recorded. */
  #knownBefore = -1;
  #history: number;
  /** False while the revision of the definition may be one of another history. */
  #isFollowing = true;
  /** True from the replacement of another part's history until a comparison. */
  #isDoubtful = false;
  /** True while the part is left out of consideration, because it cannot be compared. */
  isExcused = false;

  constructor(readonly part: JointPart<S>) {
    this.#history = part.history();
    this.#versions = [this.#newVersion()];
  }

  get newest(): PartVersion<S> {
    return this.#versions.at(-1) as PartVersion<S>;
  }

  get versions(): readonly PartVersion<S>[] {
    return this.#versions;
  }

  /** The newest version is the state in etcd up to this revision; -1 if that is not known. */
  get knownTo(): number {
    if (this.isExcused) return Infinity;
    this.#knownBefore = Math.max(this.#provenTo, this.#isFollowing ? this.part.appliedTo() : -1);
    return this.#knownBefore;
  }

  /**
   * Records the current state after an update. `isResync`: changes before it may be unknown. Returns true if the history
   * of the part was replaced.
   */
  record(isResync: boolean): boolean {
    const { part, newest } = this;
    const next = this.#newVersion();
    const hasGoneBack = newest.from !== Infinity && next.from < newest.from;
    if (part.history() !== this.#history || hasGoneBack) {
      this.#history = part.history();
      this.#provenTo = -1;
      this.#isFollowing = true;
      this.#isDoubtful = false;
      this.#versions = [next];
      return true;
    }
    const isSame = next.state === newest.state && next.isRefused === newest.isRefused;
    const isNewer = next.from > newest.from;
    const maySkip = isResync || part.maySkip;
    if ((maySkip && isNewer) || (!isSame && (part.maySkip || !isResync))) {
      const to = maySkip ? Math.min(next.from - 1, this.#knownBefore) : next.from - 1;
      this.#versions = [...this.#versions.slice(0, -1), { ...newest, to }, next].slice(-MAX_VERSIONS);
      this.#isFollowing = true;
    }
    return false;
  }

  /** A comparison has shown that the newest version is the state in etcd at this revision. */
  proven(revision: number): void {
    this.isExcused = false;
    if (this.#isDoubtful) this.#versions = [{ ...this.newest, from: revision }];
    this.#isDoubtful = false;
    this.#provenTo = Math.max(this.#provenTo, revision);
  }

  /** Another part has another history: only a comparison shows that this part belongs to the same one. */
  doubt(): void {
    this.#isDoubtful = true;
    this.#isFollowing = false;
    this.#provenTo = -1;
    this.#versions = [{ ...this.newest, from: Infinity }];
  }

  /** Returns the state at a revision, if it is known and not refused. */
  at(revision: number): PartVersion<S> | undefined {
    if (this.isExcused) return this.newest;
    const version = this.#versions.findLast(({ from }) => from <= revision);
    return version && revision <= version.to && !version.isRefused ? version : undefined;
  }

  /** Forgets the versions before the one of this revision. */
  forgetBefore(revision: number): void {
    const index = this.#versions.findLastIndex(({ from }) => from <= revision);
    if (index > 0) this.#versions = this.#versions.slice(index);
  }

  #newVersion(): PartVersion<S> {
    const { part } = this;
    return { from: part.since(), to: Infinity, state: part.read(), isRefused: part.isRefused() };
  }
}

/** A part that changes while another one cannot be compared keeps this many versions. */
const MAX_VERSIONS = 64;
