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
}

/** The session, as far as pings need it. */
export interface PingedPeer {
  /** Sends a ping; the callback is called when the answer arrives. */
  sendPing(onAnswer: () => void): void;
  /** Number of bytes received so far: any of them prove that the peer is alive. */
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
    const bytes = this.#peer.bytesReceived();
    this.#silentPeriods = bytes === this.#bytesSeen ? this.#silentPeriods + 1 : 0;
    this.#bytesSeen = bytes;
    this.#awaitPeriod();
    if (this.#silentPeriods * this.#options.lateMs >= this.#options.timeoutMs) this.#peer.onDead();
    else if (this.#silentPeriods === 1) this.#peer.onLate();
  }

  #resolveWaiters(isAlive: boolean): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve(isAlive);
  }
}
