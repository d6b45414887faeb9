import type { WatchMessage, WatchStream } from './list-watcher.js';
import type { RangeChange } from './range-memory.js';
import { RevisionAssembler } from './revision-assembler.js';

/** How long a stream may be paused: the server keeps in its memory what a paused stream does not read. */
const STALL_LIMIT_MS = 5_000;

/** Who takes the revisions of one stream. */
export interface RevisionTaker {
  /** Whether a revision is not known yet: the server may send older ones. */
  wants(revision: number): boolean;
  /** The member has said something. */
  heard(): void;
  hasRoom(count: number): boolean;
  take(revision: RangeChange): void;
  /** Nothing happened up to this revision. */
  bookmark(revision: number): void;
}

/** Hands on the whole revisions of one stream, no faster than they are taken: without room the stream is paused, and after 5 s given up. */
export class RevisionFlow {
  readonly #assembler = new RevisionAssembler();
  readonly #stream: WatchStream;
  readonly #taker: RevisionTaker;
  readonly #stalled: () => void;
  #backlog: RangeChange[] = [];
  #stall: NodeJS.Timeout | undefined;
  #over = false;

  constructor(stream: WatchStream, taker: RevisionTaker, stalled: () => void) {
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
      if (this.#over || !this.#taker.hasRoom(revision.changes.length)) break;
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
      if (this.#backlog.length === 0 && this.#taker.hasRoom(revision.changes.length)) this.#taker.take(revision);
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
