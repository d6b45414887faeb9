/** Fewer bytes than this delay no answer by more than a second, on any link that a watch can use. */
const BUSY_BYTES = 65_536;
/** The most that a time limit grows on a busy link, as a multiple. */
const MAX_GROWTH = 32;

/**
 * A time limit for the answer of the member, which doubles while the link is busy with other data. On a slow link,
 * megabytes of events may be on their way before the answer: repeating the request would send them again, and never end.
 */
export class BusyLinkLimit {
  readonly #firstMs: number;
  readonly #bytesReceived: () => number;
  #ms: number;
  #bytesSeen: number;

  /** @param bytesReceived number of bytes that the session has received so far */
  constructor(ms: number, bytesReceived: () => number) {
    this.#firstMs = ms;
    this.#bytesReceived = bytesReceived;
    this.#ms = ms;
    this.#bytesSeen = bytesReceived();
  }

  get ms(): number {
    return this.#ms;
  }

  /** The limit is over without an answer. Returns the milliseconds by which it grows; 0 if the link was not busy. */
  extend(): number {
    const bytes = this.#bytesReceived() - this.#bytesSeen;
    this.#bytesSeen += bytes;
    if (bytes < BUSY_BYTES || this.#ms >= MAX_GROWTH * this.#firstMs) return 0;
    const more = this.#ms;
    this.#ms += more;
    return more;
  }

  /** A request is sent while no other one is awaited. */
  restart(): void {
    this.#ms = this.#firstMs;
    this.#bytesSeen = this.#bytesReceived();
  }
}
