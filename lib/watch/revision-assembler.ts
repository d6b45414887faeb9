import type { KeyChange } from './key-record.js';
import type { WatchMessage } from './list-watcher.js';

/** All changes of one revision inside a range. */
export interface Revision {
  readonly revision: number;
  readonly changes: readonly KeyChange[];
}

/**
 * Makes whole revisions out of the messages of one stream. A message that is a fragment may end in the middle of a revision: all revisions
 * below its last one are complete, the last waits for the message that is no fragment. A new stream gets a new assembler, and with it what
 * was incomplete is forgotten.
 */
export class RevisionAssembler {
  #pending: KeyChange[] = [];

  /** Part of a revision is here, the rest of it is not. */
  get waiting(): boolean {
    return this.#pending.length > 0;
  }

  push({ changes, fragment }: Pick<WatchMessage, 'changes' | 'fragment'>): Revision[] {
    const all = this.#pending.length === 0 ? changes : [...this.#pending, ...changes];
    const revisions = inRevisions(all);
    const incomplete = fragment ? revisions.pop() : undefined;
    this.#pending = incomplete ? [...incomplete.changes] : [];
    return revisions;
  }
}

function inRevisions(changes: readonly KeyChange[]): Revision[] {
  const revision = changes[0]?.revision;
  if (revision === undefined) return [];
  // Live, a message is one revision; looking at its ends saves looking at all of it.
  if (changes.at(-1)?.revision === revision) return [{ revision, changes }];
  const revisions: Revision[] = [];
  let start = 0;
  for (let index = 1; index <= changes.length; index += 1) {
    const revision = (changes[start] as KeyChange).revision;
    if (changes[index]?.revision === revision) continue;
    revisions.push({ revision, changes: changes.slice(start, index) });
    start = index;
  }
  return revisions;
}
