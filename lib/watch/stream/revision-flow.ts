import type { WatchMessage, WatchStream } from '../../backend/list-watcher.js';
import type { KeyChange } from '../../backend/key-record.js';
import type { RangeUpdate } from './range-cache.js';

/** Maximum time for which a stream is paused. The server buffers in memory what a paused stream does not read. */
const STALL_LIMIT_MS = 5_000;

/** Receives the revisions of one stream. */
export interface RevisionConsumer {
  /** True for a revision that is not known yet. The server may send older ones. */
  wants(revision: number): boolean;
  canAccept(count: number): boolean;
  /** The member has sent a message. */
  onMessage(): void;
  onUpdate(update: RangeUpdate): void;
  /** Nothing has changed up to this revision. */
  onBookmark(revision: number): void;
  /** A method of the consumer has thrown. The flow has stopped. */
  onFailure(error: unknown): void;
  /** The stream was paused for too long. The flow has stopped. */
  onStall(): void;
}

/**
 * Passes on the complete revisions of one stream, as fast as the consumer accepts them. While the consumer does not
 * accept any, the stream is paused, and closed after the limit.
 */
export class RevisionFlow {
  readonly #assembler = new RevisionAssembler();
  readonly #stream: WatchStream;
  readonly #consumer: RevisionConsumer;
  #backlog: RangeUpdate[] = [];
  #stallTimer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(stream: WatchStream, consumer: RevisionConsumer) {
    this.#stream = stream;
    this.#consumer = consumer;
  }

  start(): void {
    this.#stream.deliver((message) => {
      this.#guard(() => {
        this.#receive(message);
      });
    });
  }

  /** To be called when the consumer may accept revisions again. */
  drain(): void {
    if (this.#stallTimer === undefined) return;
    this.#guard(() => {
      this.#drainBacklog();
    });
  }

  #drainBacklog(): void {
    let drained = 0;
    for (const update of this.#backlog) {
      if (this.#isStopped || !this.#consumer.canAccept(update.changes.length)) break;
      this.#consumer.onUpdate(update);
      drained += 1;
    }
    this.#backlog = this.#backlog.slice(drained);
    if (this.#isStopped || this.#backlog.length > 0) return;
    clearTimeout(this.#stallTimer);
    this.#stallTimer = undefined;
    this.#stream.resume();
  }

  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      if (this.#isStopped) return;
      this.stop();
      this.#consumer.onFailure(error);
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#backlog = [];
    clearTimeout(this.#stallTimer);
    this.#stallTimer = undefined;
  }

  #receive(message: WatchMessage): void {
    this.#consumer.onMessage();
    if (message.changes.length === 0) {
      // A bookmark counts only after everything before it has been accepted.
      if (this.#backlog.length === 0 && !this.#assembler.isIncomplete) this.#consumer.onBookmark(message.revision);
      return;
    }
    for (const update of this.#assembler.push(message)) {
      if (this.#isStopped) return;
      if (!this.#consumer.wants(update.revision)) continue;
      if (this.#backlog.length === 0 && this.#consumer.canAccept(update.changes.length))
        this.#consumer.onUpdate(update);
      else this.#backlog.push(update);
    }
    if (this.#backlog.length > 0 && this.#stallTimer === undefined) this.#pause();
  }

  #pause(): void {
    this.#stream.pause();
    this.#stallTimer = setTimeout(() => {
      this.stop();
      this.#consumer.onStall();
    }, STALL_LIMIT_MS);
  }
}

/**
 * Assembles complete revisions from the messages of one stream. A fragment may end in the middle of a revision: all
 * revisions below its last one are complete, and the last one waits for the message that is not a fragment. A new
 * stream needs a new assembler, so that an incomplete revision is discarded.
 */
export class RevisionAssembler {
  #pending: readonly KeyChange[] = [];

  /** True if a part of a revision is buffered. */
  get isIncomplete(): boolean {
    return this.#pending.length > 0;
  }

  push({ changes, fragment }: Pick<WatchMessage, 'changes' | 'fragment'>): RangeUpdate[] {
    const all = this.#pending.length === 0 ? changes : [...this.#pending, ...changes];
    const updates = splitByRevision(all);
    this.#pending = (fragment ? updates.pop()?.changes : undefined) ?? [];
    return updates;
  }
}

function splitByRevision(changes: readonly KeyChange[]): RangeUpdate[] {
  const revision = changes[0]?.revision;
  if (revision === undefined) return [];
  // A live message is usually one revision. Comparing its ends avoids a look at all changes.
  if (changes.at(-1)?.revision === revision) return [{ revision, changes, origin: 'live' }];
  const updates: RangeUpdate[] = [];
  let current: KeyChange[] = [];
  for (const change of changes) {
    if (current[0]?.revision === change.revision) current.push(change);
    else updates.push({ revision: change.revision, changes: (current = [change]), origin: 'live' });
  }
  return updates;
}
