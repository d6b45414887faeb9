import type { Change } from './listener-history.js';

/** Contents of a store, by key. */
export type State = ReadonlyMap<string, Change>;

/** History of one store from a base state on, without gaps. */
export class StoreIncarnation {
  #base: { revision: number; readonly state: Map<string, Change> };
  #revisions: (readonly Change[])[] = [];

  constructor(revision: number, state: State) {
    this.#base = { revision, state: new Map(state) };
  }

  /** Last known revision. */
  get head(): number {
    return this.#base.revision + this.#revisions.length;
  }

  /** First revision whose changes are known. */
  get first(): number {
    return this.#base.revision + 1;
  }

  /** Revisions must be consecutive, because every write in the store is recorded. */
  append(revision: number, changes: readonly Change[]): void {
    if (revision !== this.head + 1) throw new RangeError(`revision ${revision} was recorded after ${this.head}`);
    this.#revisions.push(changes);
  }

  changesAt(revision: number): readonly Change[] {
    return this.#revisions[revision - this.first] ?? [];
  }

  /** Returns the first revision between `next` and `last` that changes the range. */
  nextIn(includes: (key: string) => boolean, next: number, last = this.head): number | undefined {
    for (let revision = Math.max(next, this.first); revision <= last; revision += 1) {
      if (this.changesAt(revision).some(({ key }) => includes(key))) return revision;
    }
    return undefined;
  }

  stateAt(revision: number): Map<string, Change> {
    if (revision < this.#base.revision || revision > this.head) {
      throw new RangeError(
        `the state at revision ${revision} is unknown; known are ${this.#base.revision} to ${this.head}`,
      );
    }
    const state = new Map(this.#base.state);
    for (let at = this.first; at <= revision; at += 1) applyTo(state, this.changesAt(at));
    return state;
  }

  /** Removes the changes before a revision and keeps the state at that revision. */
  forgetBefore(revision: number): void {
    const state = this.stateAt(revision);
    this.#revisions = this.#revisions.slice(revision - this.#base.revision);
    this.#base = { revision, state };
  }
}

/** Complete reference history of the store. A restored or wiped store begins a new incarnation. */
export class StoreHistory {
  readonly #incarnations: StoreIncarnation[] = [];

  get incarnations(): readonly StoreIncarnation[] {
    return this.#incarnations;
  }

  get current(): StoreIncarnation {
    return this.incarnation(this.#incarnations.length - 1);
  }

  incarnation(index: number): StoreIncarnation {
    const incarnation = this.#incarnations[index];
    if (!incarnation) throw new RangeError(`the history has no incarnation ${index}`);
    return incarnation;
  }

  /** @returns the index of the new incarnation */
  begin(revision: number, state: State): number {
    return this.#incarnations.push(new StoreIncarnation(revision, state)) - 1;
  }
}

export function applyTo(state: Map<string, Change>, changes: readonly Change[]): void {
  for (const change of changes) {
    if (change.type === 'delete') state.delete(change.key);
    else state.set(change.key, change);
  }
}
