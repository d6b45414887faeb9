import { type JointPart, PartHistory } from './part-history.js';

/**
 * The newest known state of several parts that existed at one revision of etcd. The parts are updated one after the
 * other, and a part without changes does not show how far it has followed: until a comparison with etcd has shown that,
 * the last joint state stays.
 */
export class JointState<S> {
  readonly #histories: readonly PartHistory<S>[];
  #shown: readonly S[] | undefined;
  #shownAt = -1;

  constructor(
    parts: readonly JointPart<S>[],
    /** Called in the step in which `shown` becomes another state. */
    private readonly changed: () => void,
  ) {
    this.#histories = parts.map((part) => new PartHistory(part));
  }

  /** The states of the parts; the same array until one changes. `undefined` before the first known joint state. */
  get shown(): readonly S[] | undefined {
    return this.#shown;
  }

  /** The revision at which the shown states existed; 0 if it is not known. */
  get revision(): number {
    return Math.max(0, this.#shownAt);
  }

  /** The parts whose comparison with etcd is needed before their newest states can be shown. */
  get unproven(): readonly PartHistory<S>[] {
    const newest = this.#histories.map((history) => history.newest);
    const { target } = this;
    if (this.#shown?.every((state, index) => state === newest[index]?.state)) return [];
    return this.#histories.filter(({ knownTo, newest: { from } }) => knownTo < target || from === Infinity);
  }

  /** The revision up to which every part must be known before the newest states can be shown. */
  get target(): number {
    return Math.max(0, ...this.#histories.map(({ newest: { from } }) => (from === Infinity ? 0 : from)));
  }

  /** Shows the states as they are, although they may never have existed together. */
  showUnproven(): void {
    this.#show(this.#histories.map(({ newest }) => newest.state));
  }

  /** To be called when the definition of a part was updated. `isResync`: changes before that may be unknown. */
  updated(source: object, isResync: boolean): void {
    const own = this.#histories.filter(({ part }) => part.source === source);
    const wasReplaced = own.map((history) => history.record(isResync)).includes(true);
    if (wasReplaced) {
      this.#shownAt = -1;
      for (const history of this.#histories) if (history.part.source !== source) history.doubt();
    }
    this.evaluate();
  }

  /** To be called when more is known about a part. */
  evaluate(): void {
    const known = Math.min(...this.#histories.map(({ knownTo }) => knownTo));
    const starts = this.#histories.flatMap(({ versions }) => versions.map(({ from }) => from - 1));
    const candidates = [known, ...starts.filter((revision) => revision < known)].sort((a, b) => b - a);
    for (const revision of candidates) {
      if (revision < this.#shownAt || revision < 0) return;
      const versions = this.#histories.map((history) => history.at(revision));
      if (versions.includes(undefined)) continue;
      // Infinity: every part is excused.
      if (revision !== Infinity) this.#shownAt = revision;
      for (const history of this.#histories) history.forgetBefore(revision);
      this.#show(versions.map((version) => version?.state as S));
      return;
    }
  }

  #show(states: readonly S[]): void {
    if (this.#shown?.every((state, index) => state === states[index])) return;
    this.#shown = states;
    this.changed();
  }
}
