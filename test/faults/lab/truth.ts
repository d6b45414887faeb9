import type { Change } from './history.js';

/** What a store held, by key. */
export type State = ReadonlyMap<string, Change>;

/** One life of the store: it begins with a state at a revision, and every revision after it is there. */
export class Past {
  #base: { revision: number; readonly state: Map<string, Change> };
  #revisions: (readonly Change[])[] = [];

  constructor(revision: number, state: State) {
    this.#base = { revision, state: new Map(state) };
  }

  /** Up to here everything is known. */
  get head(): number {
    return this.#base.revision + this.#revisions.length;
  }

  /** Before this revision only the state it begins with is known. */
  get first(): number {
    return this.#base.revision + 1;
  }

  /** Revisions follow each other without a gap, because every write anywhere in the store is recorded. */
  append(revision: number, changes: readonly Change[]): void {
    if (revision !== this.head + 1) throw new RangeError(`revision ${revision} was recorded after ${this.head}`);
    this.#revisions.push(changes);
  }

  changesAt(revision: number): readonly Change[] {
    return this.#revisions[revision - this.first] ?? [];
  }

  /** The first revision from `next` on, up to `last`, that changes something in the range. */
  nextIn(includes: (key: string) => boolean, next: number, last = this.head): number | undefined {
    for (let revision = Math.max(next, this.first); revision <= last; revision += 1) {
      if (this.changesAt(revision).some(({ key }) => includes(key))) return revision;
    }
    return undefined;
  }

  stateAt(revision: number): Map<string, Change> {
    if (revision < this.#base.revision || revision > this.head) {
      throw new RangeError(
        `what the store held at revision ${revision} is not known, only from ${this.#base.revision} to ${this.head}`,
      );
    }
    const state = new Map(this.#base.state);
    for (let at = this.first; at <= revision; at += 1) applyTo(state, this.changesAt(at));
    return state;
  }

  /** Forgets what came before a revision, except the state it led to. */
  forgetBefore(revision: number): void {
    const state = this.stateAt(revision);
    this.#revisions = this.#revisions.slice(revision - this.#base.revision);
    this.#base = { revision, state };
  }
}

/** What really happened: the pasts of a store that may have been replaced, each complete. */
export class Truth {
  readonly #pasts: Past[] = [];

  get pasts(): readonly Past[] {
    return this.#pasts;
  }

  get current(): Past {
    return this.past(this.#pasts.length - 1);
  }

  past(index: number): Past {
    const past = this.#pasts[index];
    if (!past) throw new RangeError(`the truth has no past number ${index}`);
    return past;
  }

  /** @returns the number of the new past */
  begin(revision: number, state: State): number {
    return this.#pasts.push(new Past(revision, state)) - 1;
  }
}

export function applyTo(state: Map<string, Change>, changes: readonly Change[]): void {
  for (const change of changes) {
    if (change.type === 'delete') state.delete(change.key);
    else state.set(change.key, change);
  }
}
