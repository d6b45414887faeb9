import type { KeyChange } from './key-record.js';
import type { WatchMessage } from './list-watcher.js';
import type { RangeChange } from './range-memory.js';

/**
 * Makes whole revisions out of the messages of one stream. A message that is a fragment may end in the middle of a revision: all revisions
 * below its last one are complete, the last waits for the message that is no fragment. A new stream gets a new assembler, and with it what
 * was incomplete is forgotten.
 */
export class RevisionAssembler {
  #pending: readonly KeyChange[] = [];

  /** Part of a revision is here, the rest of it is not. */
  get waiting(): boolean {
    return this.#pending.length > 0;
  }

  push({ changes, fragment }: Pick<WatchMessage, 'changes' | 'fragment'>): RangeChange[] {
    const all = this.#pending.length === 0 ? changes : [...this.#pending, ...changes];
    const revisions = inRevisions(all);
    this.#pending = (fragment ? revisions.pop()?.changes : undefined) ?? [];
    return revisions;
  }
}

function inRevisions(changes: readonly KeyChange[]): RangeChange[] {
  const revision = changes[0]?.revision;
  if (revision === undefined) return [];
  // Live, a message is one revision; looking at its ends saves looking at all of it.
  if (changes.at(-1)?.revision === revision) return [{ revision, changes, origin: 'live' }];
  const revisions: RangeChange[] = [];
  let own: KeyChange[] = [];
  for (const change of changes) {
    if (own[0]?.revision === change.revision) own.push(change);
    else revisions.push({ revision: change.revision, changes: (own = [change]), origin: 'live' });
  }
  return revisions;
}
