import type { WatchMessage, WatchStream } from '../../backend/list-watcher.js';
import type { KeyChange } from '../../backend/key-record.js';
import type { RangeUpdate } from './range-cache.js';

/** How long a stream may be paused: the server keeps in its memory what a paused stream does not read. */
const STALL_LIMIT_MS = 5_000;

/** Who takes the revisions of one stream. */
export interface RevisionConsumer {
  /** Whether a revision is not known yet: the server may send older ones. */
  wants(revision: number): boolean;
  /** The member has said something. */
  heard(): void;
  canAccept(count: number): boolean;
  take(revision: RangeUpdate): void;
  /** Nothing happened up to this revision. */
  bookmark(revision: number): void;
}

/** Hands on the whole revisions of one stream, no faster than they are taken: without room the stream is paused, and after 5 s given up. */
export class RevisionFlow {
  readonly #assembler = new RevisionAssembler();
  readonly #stream: WatchStream;
  readonly #taker: RevisionConsumer;
  readonly #stalled: () => void;
  #backlog: RangeUpdate[] = [];
  #stall: NodeJS.Timeout | undefined;
  #over = false;

  constructor(stream: WatchStream, taker: RevisionConsumer, stalled: () => void) {
    this.#stream = stream;
    this.#taker = taker;
    this.#stalled = stalled;
  }

  start(): void {
    this.#stream.deliver((message) => {
      this.#receive(message);
    });
  }

  /** There may be room again. */
  drain(): void {
    if (this.#stall === undefined) return;
    let taken = 0;
    for (const revision of this.#backlog) {
      if (this.#over || !this.#taker.canAccept(revision.changes.length)) break;
      this.#taker.take(revision);
      taken += 1;
    }
    this.#backlog = this.#backlog.slice(taken);
    if (this.#over || this.#backlog.length > 0) return;
    clearTimeout(this.#stall);
    this.#stall = undefined;
    this.#stream.resume();
  }

  stop(): void {
    this.#over = true;
    this.#backlog = [];
    clearTimeout(this.#stall);
    this.#stall = undefined;
  }

  #receive(message: WatchMessage): void {
    this.#taker.heard();
    if (message.changes.length === 0) {
      // A bookmark overtakes nothing: it counts only when everything before it has been taken.
      if (this.#backlog.length === 0 && !this.#assembler.waiting) this.#taker.bookmark(message.revision);
      return;
    }
    for (const revision of this.#assembler.push(message)) {
      if (this.#over) return;
      if (!this.#taker.wants(revision.revision)) continue;
      if (this.#backlog.length === 0 && this.#taker.canAccept(revision.changes.length)) this.#taker.take(revision);
      else this.#backlog.push(revision);
    }
    if (this.#backlog.length > 0 && this.#stall === undefined) this.#pause();
  }

  #pause(): void {
    this.#stream.pause();
    this.#stall = setTimeout(() => {
      this.stop();
      this.#stalled();
    }, STALL_LIMIT_MS);
  }
}

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

  push({ changes, fragment }: Pick<WatchMessage, 'changes' | 'fragment'>): RangeUpdate[] {
    const all = this.#pending.length === 0 ? changes : [...this.#pending, ...changes];
    const revisions = inRevisions(all);
    this.#pending = (fragment ? revisions.pop()?.changes : undefined) ?? [];
    return revisions;
  }
}

function inRevisions(changes: readonly KeyChange[]): RangeUpdate[] {
  const revision = changes[0]?.revision;
  if (revision === undefined) return [];
  // Live, a message is one revision; looking at its ends saves looking at all of it.
  if (changes.at(-1)?.revision === revision) return [{ revision, changes, origin: 'live' }];
  const revisions: RangeUpdate[] = [];
  let own: KeyChange[] = [];
  for (const change of changes) {
    if (own[0]?.revision === change.revision) own.push(change);
    else revisions.push({ revision: change.revision, changes: (own = [change]), origin: 'live' });
  }
  return revisions;
}
