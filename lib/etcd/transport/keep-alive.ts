import { Deadline } from './deadline.js';

export interface KeepAliveOptions {
  /** Time between two pings while something is open. */
  readonly intervalMs: number;
  /** Shortest time between two pings: servers end a session that sends more. */
  readonly spacingMs: number;
  /** Silence after which an unanswered ping is late. */
  readonly lateMs: number;
  /** Silence after which the peer counts as dead; a multiple of `lateMs`. */
  readonly timeoutMs: number;
  /**
   * Time without an answer after which the peer counts as dead even if it sends data: nothing that this side sends
   * arrives. A multiple of `lateMs`, and longer than data in transit may delay the answer.
   */
  readonly answerMs: number;
}

/** The session, as far as pings need it. */
export interface PingedPeer {
  /** Sends a ping; the callback is called when the answer arrives. */
  sendPing(onAnswer: () => void): void;
  /** Number of bytes received so far. While it grows, the peer is not silent. */
  bytesReceived(): number;
  onLate(): void;
  onAnswered(): void;
  onDead(): void;
}

/**
 * Decides when to ping and when the peer is dead. Silence is counted in periods of `lateMs`, each judged after the
 * sockets were read: a stall of this process, however long, counts as one period.
 */
export class KeepAlive {
  readonly #peer: PingedPeer;
  readonly #options: KeepAliveOptions;
  #waiters: ((isAlive: boolean) => void)[] = [];
  #next: NodeJS.Timeout | undefined;
  #period: Deadline | undefined;
  #sentAt = -Infinity;
  #periods = 0;
  #silentPeriods = 0;
  #bytesSeen = 0;
  #isAwaited = false;
  #isActive = false;
  #isStopped = false;

  constructor(peer: PingedPeer, options: KeepAliveOptions) {
    this.#peer = peer;
    this.#options = options;
  }

  /** Pings regularly while active. */
  setActive(isActive: boolean): void {
    this.#isActive = isActive;
    // A timer that runs already is left alone, so that short calls cost none.
    if (isActive && !this.#next && !this.#isAwaited) this.#schedule(this.#options.intervalMs);
  }

  /** Resolves to true when the peer has answered, and to false when the session has ended. Joins a ping under way. */
  ping(): Promise<boolean> {
    if (this.#isStopped) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
      if (!this.#isAwaited) this.#schedule(this.#sentAt + this.#options.spacingMs - performance.now());
    });
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#next);
    this.#period?.clear();
    this.#resolveWaiters(false);
  }

  #schedule(ms: number): void {
    clearTimeout(this.#next);
    this.#next = undefined;
    if (ms <= 0) {
      this.#send();
      return;
    }
    this.#next = setTimeout(() => {
      this.#next = undefined;
      if (this.#isActive || this.#waiters.length > 0) this.#send();
    }, ms).unref();
  }

  #send(): void {
    this.#sentAt = performance.now();
    this.#isAwaited = true;
    this.#periods = 0;
    this.#silentPeriods = 0;
    this.#bytesSeen = this.#peer.bytesReceived();
    this.#awaitPeriod();
    this.#peer.sendPing(() => {
      this.#onAnswer();
    });
  }

  #onAnswer(): void {
    if (this.#isStopped) return;
    this.#isAwaited = false;
    this.#period?.clear();
    this.#resolveWaiters(true);
    this.#peer.onAnswered();
    if (this.#isActive && !this.#next) this.#schedule(this.#sentAt + this.#options.intervalMs - performance.now());
  }

  #awaitPeriod(): void {
    this.#period = new Deadline(this.#options.lateMs, () => {
      this.#judge();
    }).unref();
  }

  #judge(): void {
    const { lateMs, timeoutMs, answerMs } = this.#options;
    const bytes = this.#peer.bytesReceived();
    this.#periods += 1;
    this.#silentPeriods = bytes === this.#bytesSeen ? this.#silentPeriods + 1 : 0;
    this.#bytesSeen = bytes;
    this.#awaitPeriod();
    if (this.#silentPeriods * lateMs >= timeoutMs || this.#periods * lateMs >= answerMs) this.#peer.onDead();
    else if (this.#silentPeriods === 1) this.#peer.onLate();
  }

  #resolveWaiters(isAlive: boolean): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve(isAlive);
  }
}
